"""Several cheap members, refitted with every batch and weighed by what they answered before they learned it."""
