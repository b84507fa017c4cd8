"""Releases that wait until people have said yes."""
