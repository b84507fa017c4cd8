"""The servers of `make up`, on this machine."""
