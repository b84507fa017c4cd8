"""Policies of retraining, played over a scenario's own history."""
