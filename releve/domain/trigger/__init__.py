"""When a challenge is due, and why not."""
