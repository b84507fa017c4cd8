"""Experiments: the pipeline tried with other settings, beside what serves."""
