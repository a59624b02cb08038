"""What engine, server and export stand on: errors for people, files on disk."""
