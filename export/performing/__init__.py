"""Measures players: how recorded and expressive files are timed, struck and pedalled."""
