"""When things happen and in which order: the folder that imports Prefect."""

import atexit
import gc

# What Prefect, pandas and the like allocate while they are imported stays: to look through it again and again for
# garbage costs a third of a second per run.
gc.set_threshold(50_000, 20, 20)
# To look through it once more when the process ends, and to take it apart, costs more than half a second.
atexit.register(gc.freeze)
