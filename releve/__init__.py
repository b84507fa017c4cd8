"""Relève: the changing of the guard, for models in production."""

__version__ = "0.1.0"
