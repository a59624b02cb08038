"""`perpetuo bench`: no part of a running server."""
