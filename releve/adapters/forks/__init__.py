"""Processes that are forked from one that has the libraries loaded."""
