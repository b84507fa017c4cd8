"""What was seen of the champion: drift, quality, payoff, alerts."""
