"""Which changes of state are told, and in which words."""
