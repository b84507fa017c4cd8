"""Packs of evidence: what a stranger needs to check a model version."""
