"""What can be steered: one table, the kinds of values in it, and one setting as a value."""
