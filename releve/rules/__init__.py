"""What is decided: pure functions. No file, clock, network or vendor system."""
