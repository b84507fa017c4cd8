"""Suites that hold a server to a written protocol; they know nothing of the server that they ask."""
