"""What is decided above the notes: form, key, chords, echoes; and the guards over minutes."""
