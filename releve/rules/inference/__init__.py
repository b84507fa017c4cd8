"""What a table says of itself: types, task, sizes, and what a person should look at before it is learned from."""
