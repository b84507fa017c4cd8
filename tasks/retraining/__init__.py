"""A challenger made and judged, of our own or brought, and built again."""
