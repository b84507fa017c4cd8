"""Champion and challenger on live traffic."""
