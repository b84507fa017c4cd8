"""A challenger on live traffic: which requests it answers, and what ends it."""
