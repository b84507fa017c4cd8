"""What to do about an answer: costs, thresholds, business rules, and what they were worth."""
