"""What a pack of evidence holds, made from what is known of a model version."""
