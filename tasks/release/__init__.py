"""A challenger made and judged, released, rolled back, rebuilt."""
