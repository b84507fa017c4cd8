"""When things happen and in which order: the only folder that imports Prefect."""
