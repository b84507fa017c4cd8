"""When things happen and in which order: the only folder that imports Prefect."""

import gc

# What Prefect, pandas and the like allocate while they are imported stays: to look through it again and again for
# garbage costs a third of a second per run.
gc.set_threshold(50_000, 20, 20)
