"""HTTP: the clients, the service of this machine, and webhooks."""
