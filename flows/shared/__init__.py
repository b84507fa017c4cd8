"""What the flows share: how a run begins, what it shows, and the states that it ends in."""
