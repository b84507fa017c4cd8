"""Pages and cards, written."""
