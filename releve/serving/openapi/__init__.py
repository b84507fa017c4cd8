"""OpenAPI 3.1 for what the service answers, made from the scenarios' own schemas."""
