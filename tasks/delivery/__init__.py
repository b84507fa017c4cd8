"""What leaves this project: pipelines of other engines, Bentos with their proofs, and what a change changes."""
