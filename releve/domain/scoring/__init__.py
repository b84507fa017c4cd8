"""Scoring whole tables: what an output holds, and how far it is."""
