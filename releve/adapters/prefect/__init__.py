"""Prefect, by its HTTP interface."""
