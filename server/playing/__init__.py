"""Playing bars on time: schedules, the dispatching thread, what bridges a missing bar."""
