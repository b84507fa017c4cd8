"""What a new table is: types, task, order, leaks, and what is odd about it."""
