"""Recipes, their search, and whether the exported model answers alike."""
