"""Why a model answered so: what each feature moved, and what would change the answer."""
