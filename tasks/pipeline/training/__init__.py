"""What the stage `train` makes of rows and a memory: answers, a search, weights, and the next memory."""
