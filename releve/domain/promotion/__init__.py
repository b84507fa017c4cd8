"""What may go from one environment to another."""
