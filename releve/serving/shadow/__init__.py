"""Challengers that are asked aside: what they would have answered, beside what was."""
