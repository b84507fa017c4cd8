"""Play policies over a scenario's own history."""

import time
from typing import Any

from releve.errors import ReleveError
from releve.rules import replay_jobs
from releve.rules.replay_jobs import Bench, Done, Job


def work(bench: Bench, job: Job) -> Done:
    """Do a job, and say what it took. Rows that cannot be learned from are an answer, not an error."""
    began = time.process_time()
    value, problem = None, ""
    try:
        value = replay_jobs.work(job, bench)
    except ReleveError as error:
        problem = str(error)
    return Done(value, time.process_time() - began, problem)
