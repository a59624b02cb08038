"""The networks in torch, and the same as a graph in a bundle."""
