"""Whether newer rows differ from the reference, and by how much."""
