"""A challenger accepted, released, promoted to another environment, and rolled back."""
