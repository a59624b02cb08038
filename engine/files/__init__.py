"""The formats of files: MIDI, control logs, what was heard; from and to bytes."""
