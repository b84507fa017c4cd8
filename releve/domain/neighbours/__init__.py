"""Vectors of rows and texts, and the index that finds neighbours."""
