"""What a backup holds, and what must agree before it counts as restored."""
