"""What a model takes over from what it was made of."""
