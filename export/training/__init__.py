"""Training a network, to be resumed exactly."""
