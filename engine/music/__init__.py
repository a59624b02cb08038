"""Music and time as values: notes, bars, scores, harmony, and what can be heard in them."""
