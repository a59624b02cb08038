"""The house: all streams of a running server, whoever listens to them and steers them."""
