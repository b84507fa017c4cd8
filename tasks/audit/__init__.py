"""What was answered, asked again."""
