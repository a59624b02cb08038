"""What every part of the server stands on; knows none of them."""
