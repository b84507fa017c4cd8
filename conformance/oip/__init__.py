"""Checks of a server against the Open Inference Protocol v2 over HTTP: `python -m conformance.oip URL`."""
