"""Erasure: which rows are to go, and what the registry keeps of it."""
