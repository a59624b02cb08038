"""MIDI ports: which there are, playing into them, noticing when they vanish."""
