"""Whether a challenger may take over, and why."""
