"""Experiments beside the champion, as a table and as values for programs."""

from collections.abc import Iterator, Mapping
from typing import Any

from releve.core.formatting import format_score, to_the_second
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import format_interval, format_score_interval
from releve.domain.experiment.experiment import ExperimentRecord, as_set
from releve.reporting.messages.brought import CHAMPION_MAY_KNOW

HEADS = ("experiment", "differs by", "score", "gain over what served", "CPU s", "by", "made at", "gate")
VERDICTS = {None: "", True: "accepted", False: "refused"}


def describe_gain(evaluation: Evaluation) -> str:
    """Write the paired gain, with its interval; "" where nothing served."""
    return format_interval(evaluation.champion.gain) if evaluation.champion else ""


def describe_gain_over(evaluation: Evaluation) -> str:
    """Write the gain, and the score of what served on the same rows, which are not those that it was judged on."""
    champion = evaluation.champion
    return f"{describe_gain(evaluation)} over {format_score(champion.score)}" if champion else ""


def describe_differences(differs: Mapping[str, tuple[Any, Any]]) -> str:
    """Write what is set otherwise, one setting in a line."""
    return "\n".join(f"{key}={as_set(mine)}" for key, (mine, _) in differs.items())


def describe_experiment(name: str, evaluation: Evaluation, record: ExperimentRecord) -> Iterator[str]:
    """Say how an experiment was judged, and what can be done with it."""
    yield (
        f"{name}: {evaluation.metric} {format_score_interval(evaluation.score)} on {evaluation.holdout_rows:,} rows, "
        f"{record.cpu_seconds:.1f} s CPU"
    )
    if evaluation.champion:
        yield (
            f"{format_score(evaluation.champion.score)} is what {record.champion} has on the same rows; gain "
            f"{describe_gain(evaluation)} ({evaluation.confidence:.0%} interval, paired)"
        )
    if evaluation.champion_may_know:
        yield CHAMPION_MAY_KNOW
    yield f"Send it to the gate: releve challenge {name}"


def describe_to_keep(scenario: str, settings: Mapping[str, Any]) -> str:
    """Say what has to be committed so that the next refresh is made by the same settings; "" for none."""
    if not settings:
        return ""
    changed = ", ".join(f"{key}: {as_set(value)}" for key, value in settings.items())
    return (
        f"The next refresh goes by what is committed: to keep these settings, set {changed} in "
        f"scenarios/{scenario}/params.yaml, and commit it"
    )


def describe_verdict(verdict: bool | None, outdated: str) -> str:
    """Say what the gate said, or why it would not be asked."""
    return VERDICTS[verdict] or outdated


def experiment_row(
    name: str, evaluation: Evaluation, *, differs: str, gain: str, cpu_seconds: float, by: str, at: str, gate: str
) -> tuple[str, ...]:
    """One line below HEADS; the metric stands with the score, as experiments may choose their own."""
    score = f"{evaluation.metric} {format_score_interval(evaluation.score)}"
    return (name, differs, score, gain, f"{cpu_seconds:.1f}", by, to_the_second(at), gate)
