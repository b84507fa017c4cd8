"""Rows in: files, queries, harvested labels, and what was rejected."""
