"""The card of a model version."""
