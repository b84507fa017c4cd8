"""The DVC stages of a scenario."""
