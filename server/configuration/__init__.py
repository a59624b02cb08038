"""What a server is told before it starts: one TOML file, checked once, frozen."""
