"""Which deployments every scenario gets."""
