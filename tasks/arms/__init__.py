"""A challenger tried on live traffic."""
