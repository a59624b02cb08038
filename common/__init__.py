"""What engine, server and export share: small, and knowing nothing of music."""
