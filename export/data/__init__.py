"""From folders of music to a prepared dataset: reading, duplicates, splits, plans, statistics."""
