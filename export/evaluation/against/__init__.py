"""Composed music against real music: can they be told apart, and by what? Part-writing and form."""
