"""`python -m prefect`, whose queue of the server's own work is looked into every second, and not eight times.

Prefect makes docket's worker without saying how often it looks, and has no setting for that. What is due at once wakes
it at once; what is due later, such as the next turn of a loop, may begin a second later.
"""

import runpy
from datetime import timedelta
from functools import partial

LOOK = timedelta(seconds=1)


def main() -> None:
    """Run Prefect's command line with the arguments of this process."""
    from docket import Worker
    from prefect.server.api import background_workers

    patient = partial(Worker, minimum_check_interval=LOOK, scheduling_resolution=LOOK)
    background_workers.Worker = patient  # type: ignore[attr-defined, assignment]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
