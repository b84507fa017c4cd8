"""Is the model that serves still good?"""
