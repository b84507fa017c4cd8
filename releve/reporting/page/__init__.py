"""The page of a scenario."""
