"""Models as files: stored, exported, run, packed."""
