"""The prediction ledger: append-only JSONL segments, one writer each, any number of readers."""
