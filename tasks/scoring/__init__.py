"""Whole tables answered by the model that serves."""
