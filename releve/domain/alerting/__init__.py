"""Which changes of state people are alerted of."""
