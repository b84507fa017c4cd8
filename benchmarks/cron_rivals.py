"""Rivals that `benchmarks.cron` alone plays: an ensemble that is blind to time, and refits by a drift detector.

The detectors are river's, with its defaults; river is no dependency (benchmarks/README.md says how to add it).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from releve.core.errors import BadInput
from releve.domain.backtest.jobs import FitMember, Floats, Job, JobResult, RunJobs
from releve.domain.backtest.played import Steps
from releve.domain.backtest.refreshes import as_floats, first_model, fit_of
from releve.domain.backtest.rivals import DEFAULTS
from releve.domain.backtest.walk_forward import WalkForward
from releve.domain.ensemble.forward import ForwardWindow, MemberAnswers
from releve.domain.ensemble.refresh import weighed_window
from releve.domain.ensemble.weights import weigh
from releve.domain.schema.target import REGRESSION

BLIND = "ensemble blind to time"


@dataclass(frozen=True, eq=False)
class RivalAnswers:
    """What a rival answered to all windows; CPU seconds and number of its fits, as if it had been played alone."""

    answers: Floats
    seconds: float
    fits: int


def drive(steps: Steps[Floats], run: RunJobs, ledger: dict[Job, JobResult]) -> RivalAnswers:
    """Play a rival to its end. `ledger`: what was done before, which grows."""
    used: set[FitMember] = set()
    jobs = next(steps)
    while True:
        new = [job for job in dict.fromkeys(jobs) if job not in ledger]
        ledger.update(zip(new, run(new), strict=True))
        used.update(job for job in jobs if isinstance(job, FitMember))
        try:
            jobs = steps.send([ledger[job] for job in jobs])
        except StopIteration as end:
            return RivalAnswers(end.value, sum(ledger[job].seconds for job in used), len(used))


def play_blind(plan: WalkForward) -> Steps[Floats]:
    """Refit the members that learn from all past rows before each window, weighed by all that they ever answered.

    This is the ensemble of the loop without all that goes by time: no windows of newest rows, no newest windows that
    weights rest on, no hedge, no older ensemble, no gate, no rollback, no search.
    """
    first = yield from first_model(plan, plan.context.params)
    members = [each for each in first.members if not each.last_batches]
    plain, loss, recorded = members[0].name, plan.context.loss, list[ForwardWindow]()

    def record(window: MemberAnswers, known: Sequence[ForwardWindow]) -> None:
        recorded.append(weighed_window(window, weigh(known, plain=plain, loss=loss, members=[*window.answers])))

    for each in first.windows:
        answers = {one.name: each.answers[one.name] for one in members if one.name in each.answers}
        record(MemberAnswers(each.truth, answers), recorded)
    origins = len(recorded)
    for window in plan.windows:
        end = plan.known_before(window)
        done = yield [fit_of(plan, each, end=end, upto=plan.rows) for each in members]
        rows = slice(window.start - end, window.end - end)
        answers = {
            member.name: as_floats(each.value[rows])
            for member, each in zip(members, done, strict=True)
            if not each.problem
        }
        labelled = origins + sum(each.end <= end for each in plan.windows)
        record(MemberAnswers(plan.truth[window.start : window.end], answers), recorded[:labelled])
    return np.concatenate([each.refreshed for each in recorded[origins:]])


@dataclass(frozen=True)
class Detector:
    """One of river.drift, and which rows a refit learns from once it fires.

    All that are labelled, or those of the detector's own window, or those since its warning. `is_cron`: refitted before
    each window, too, on all rows since those.
    """

    name: str
    make: Callable[[], Any]
    rows: Literal["all", "window", "warning"] = "all"
    is_cron: bool = False


def detectors() -> tuple[Detector, ...]:
    """List them. Raises BadInput where river is not installed."""
    try:
        from river.drift import ADWIN, KSWIN
        from river.drift.binary import HDDMA
    except ImportError as error:
        raise BadInput(
            f"--rivals needs river, which is no dependency ({error}). Beside the project's packages: .venv/bin/python "
            "-m uv pip install --no-deps --target var/river river==0.26.1, and PYTHONPATH=var/river before the command"
        ) from None
    return (
        Detector("ADWIN, all rows", ADWIN),
        Detector("ADWIN, rows of its window", ADWIN, "window"),
        Detector("KSWIN, all rows", lambda: KSWIN(seed=7)),
        Detector("HDDM, all rows", HDDMA),
        Detector("HDDM, rows since its warning", HDDMA, "warning"),
        Detector("cron job, rows since HDDM's warning", HDDMA, "warning", is_cron=True),
    )


def play_detector(plan: WalkForward, rival: Detector) -> Steps[Floats]:
    """Answer by the cron job's boosting, fitted anew before a window where the detector fired in the one before.

    It reads the error of each labelled row that the newest fit answered, 0 to 1: whether the class was wrong; of values
    half the absolute error over the usual one, the median of the first labels that came. Once it fired it is made anew.
    """
    context, least = plan.context, plan.context.params.statistics.min_rows
    answers = np.empty((plan.rows, context.outputs))
    fit, read, usual = _boosting(plan, 0, plan.start), plan.start, 0.0
    watch = _Watch(rival)
    for window in plan.windows:
        known = plan.known_before(window)
        errors = _errors(plan, answers, read, known)
        if context.schema.target.task == REGRESSION:
            usual = usual or float(np.median(errors)) if len(errors) else usual
            errors = np.minimum(1.0, errors / (2 * usual or 1.0))
        oldest = watch.oldest_row_to_learn(errors, first=read)
        read = known
        if oldest is not None:
            fit, watch = _boosting(plan, max(0, min(oldest, known - least)), known), _Watch(rival)
        elif rival.is_cron:
            fit = _boosting(plan, fit.first, known)
        (done,) = yield [fit]
        if done.problem:  # such as one class alone in these rows
            fit = _boosting(plan, 0, known)
            (done,) = yield [fit]
        if done.problem:
            raise BadInput(f"the rows before window {window.number} make no model: {done.problem}")
        answers[window.start : window.end] = done.value[window.start - fit.end : window.end - fit.end]
    return answers[plan.start :]


def _boosting(plan: WalkForward, first: int, end: int) -> FitMember:
    return FitMember.of(DEFAULTS, first=first, end=end, upto=plan.rows)


def _errors(plan: WalkForward, answers: Floats, start: int, end: int) -> Floats:
    """Compute the error of each answer to rows [start, end)."""
    given, truth = answers[start:end], plan.truth[start:end]
    if plan.context.schema.target.task == REGRESSION:
        return np.asarray(np.abs(given[:, 0] - truth), dtype=np.float64)
    return np.asarray(given.argmax(axis=1) != truth, dtype=np.float64)


class _Watch:
    """A detector since the newest fit."""

    def __init__(self, rival: Detector) -> None:
        self.rival, self.detector = rival, rival.make()
        self.warned_at: int | None = None

    def oldest_row_to_learn(self, errors: Floats, *, first: int) -> int | None:
        """Read errors of rows from `first` on; None where it does not fire."""
        for row, error in enumerate(errors.tolist(), start=first):
            self.detector.update(error)
            if self.detector.drift_detected:
                if self.rival.rows == "window":
                    return int(row + 1 - self.detector.width)
                since = row if self.warned_at is None else self.warned_at
                return since if self.rival.rows == "warning" else 0
            if self.rival.rows == "warning":
                is_warned = self.detector.warning_detected
                self.warned_at = (row if self.warned_at is None else self.warned_at) if is_warned else None
        return None
