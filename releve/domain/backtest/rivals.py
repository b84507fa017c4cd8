"""What every backtest shows beside the loop: the three lines in a crontab."""

import numpy as np

from releve.core.errors import BadInput
from releve.domain.backtest.jobs import Floats
from releve.domain.backtest.played import PlayedPolicy, Steps, changed_answers
from releve.domain.backtest.refreshes import fit_of
from releve.domain.backtest.variants import CronJob
from releve.domain.backtest.walk_forward import WalkForward
from releve.domain.ensemble.pool import BOOSTING, CONSTANT, DEFAULT, Member
from releve.domain.training.recipes import Candidate

# By itself boosting stops early on more than 10,000 rows; our recipe does not, and theirs does.
DEFAULTS = Candidate(BOOSTING, "none", {"early_stopping": "auto"})


def play_cron_job(played: PlayedPolicy, plan: WalkForward) -> Steps[None]:
    """Fit before each window on what is known, answer it; where that cannot be fitted, give the usual answer."""
    assert isinstance(played.policy, CronJob)
    boosting = Member.of(DEFAULTS, origin=DEFAULT, last_batches=played.policy.last_windows)
    members = boosting, Member.of(Candidate(CONSTANT, "none"), origin=DEFAULT)
    answered: list[Floats] = []
    previous: Floats = np.empty((0, plan.context.outputs))  # of the fit before, to all rows
    for window in plan.windows:
        known = plan.known_before(window)
        done = yield [fit_of(plan, member, end=known, upto=plan.rows) for member in members]
        able = next((each for each in done if not each.problem), None)
        if able is None:
            raise BadInput(f"a backtest could not go on: {done[-1].problem}")
        later = np.full((plan.rows, plan.context.outputs), np.nan)
        later[known:] = able.value
        answered.append(later[window.start : window.end])
        if len(previous):
            played.churn.append(changed_answers(previous[window.start : window.end], answered[-1]))
        previous = later
        played.window = window.number
    played.answers = np.concatenate(answered)
