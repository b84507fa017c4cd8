"""How files and queries are read into cells, and what a batch should be like."""
