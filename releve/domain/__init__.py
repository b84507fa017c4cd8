"""What is decided: pure functions and values, a folder per subject."""
