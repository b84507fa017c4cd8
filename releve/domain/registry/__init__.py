"""The life of a model version: events, transitions, releases."""
