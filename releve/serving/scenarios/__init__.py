"""Which scenarios a worker serves, by which models in memory, and what it knows of their rows."""
