"""One endless stream, bar by bar."""
