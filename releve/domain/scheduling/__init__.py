"""When runs are due, and the deployments of Prefect that start them."""
