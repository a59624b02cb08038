"""For scripts: models and presets by name, and music as a value. Reads files; the rest does not."""
