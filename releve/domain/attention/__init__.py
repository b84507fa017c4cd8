"""What needs a person, over all scenarios."""
