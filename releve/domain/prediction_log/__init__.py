"""Answers and labels, as the ledger keeps them."""
