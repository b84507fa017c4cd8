"""Play policies over a scenario's own history, window after window, by the very functions that production runs.

Each policy is a generator: answer a window, monitor, decide, refresh, judge, release. Whatever it has to compute it
asks for as a job, so that policies that need the same share it, and what all of them need next is done side by side. A
member is fitted once for all policies and answers all later rows; weights, gate, trigger and rollback are arithmetic on
these answers. A label is known only when it has arrived: nothing reads one that lies beyond `WalkForward.known`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from releve.core.errors import BadInput
from releve.domain.backtest.jobs import FitMember, Job, JobResult, RunJobs
from releve.domain.backtest.loop import play_loop
from releve.domain.backtest.played import PlayedPolicy
from releve.domain.backtest.rivals import play_cron_job
from releve.domain.backtest.variants import CronJob, Variant
from releve.domain.backtest.walk_forward import WalkForward


@dataclass(frozen=True)
class BacktestProgress:
    """How far all policies are: the window of the one that is furthest behind, and the fits of all of them."""

    window: int
    windows: int
    fits: int  # that are done
    planned: int  # that are known to be needed; a search adds some


def play_all(
    policies: Sequence[Variant],
    plan: WalkForward,
    run: RunJobs,
    *,
    ledger: dict[Job, JobResult] | None = None,
    report: Callable[[BacktestProgress], None] = lambda progress: None,
) -> list[PlayedPolicy]:
    """Play all policies; each job is done once. `ledger`: what was done before, which grows.

    Raises BadInput where the rows before the first window make no model.
    """
    ledger = {} if ledger is None else ledger
    played = [PlayedPolicy(policy) for policy in policies]
    steps = [
        play_cron_job(each, plan) if isinstance(each.policy, CronJob) else play_loop(each, plan) for each in played
    ]
    asked: list[list[Job] | None] = [next(each) for each in steps]  # None: it is at its end
    used: list[set[Job]] = [set() for _ in played]
    while any(each is not None for each in asked):
        report(_progress(played, asked, plan, ledger))
        jobs = [job for job in dict.fromkeys(job for each in asked for job in each or ()) if job not in ledger]
        for job, done in zip(jobs, run(jobs), strict=True):
            # a member that cannot be fitted has no say; without evidence there is no decision
            if done.problem and not isinstance(job, FitMember):
                raise BadInput(f"a backtest could not go on: {done.problem}")
            ledger[job] = done
        for place, wanted in enumerate(asked):
            if wanted is None:
                continue
            fits = {job for job in wanted if isinstance(job, FitMember)} - used[place]
            played[place].fit_seconds += sum(ledger[job].seconds for job in fits)
            used[place] |= fits
            try:
                asked[place] = steps[place].send([ledger[job] for job in wanted])
            except StopIteration:
                asked[place] = None
    return played


def _progress(
    played: Sequence[PlayedPolicy], asked: Sequence[list[Job] | None], plan: WalkForward, ledger: dict[Job, JobResult]
) -> BacktestProgress:
    """Fits of the windows to come are as many as those of the windows that are over, for each policy that goes on."""
    windows = len(plan.windows)
    fits = sum(isinstance(job, FitMember) for job in ledger)
    wanted = {job for each in asked for job in each or () if isinstance(job, FitMember) and job not in ledger}
    behind = min((each.window for each, jobs in zip(played, asked, strict=True) if jobs is not None), default=windows)
    rate = (fits + len(wanted)) / max(1, behind + 1)
    planned = round(rate * (windows + 1)) if behind else fits + len(wanted)
    return BacktestProgress(min(behind + 1, windows), windows, fits, max(planned, fits + len(wanted)))
