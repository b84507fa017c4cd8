"""Relève's own columns beside a table's. A table's names do not begin like these (`schema_names.py`)."""

RESERVED_PREFIX = "_"
BATCH, ROW = "_batch", "_row"  # where a row came from: its batch, and its position in it from 0
