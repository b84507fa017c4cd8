"""Copy what cannot be made again to another place, and bring it back on an empty machine."""
