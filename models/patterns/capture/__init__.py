"""Change data capture: copies of a database, made of what its log tells."""
