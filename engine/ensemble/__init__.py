"""Many streams over one network."""
