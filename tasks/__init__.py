"""Steps: gather, decide, apply. Plain functions; no Prefect."""
