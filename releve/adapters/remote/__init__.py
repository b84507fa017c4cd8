"""What fsspec reaches: backups and tables behind a URL."""
