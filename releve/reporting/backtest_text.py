"""A backtest for people: one table, and what follows from it."""

from collections.abc import Mapping
from typing import Any

from releve.core.formatting import format_score
from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.intervals import Interval, format_interval
from releve.domain.trigger import trigger

BY_WINDOW = (trigger.EVERY, trigger.SCHEDULE)  # what these ask for is a window of new rows, whatever it holds
HEADS = ("policy", "score", "over static", "retrainings", "promotions", "CPU s", "regret")


def lines(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row of cells per policy, the best score first, then the naive baselines."""
    ranked = sorted(found["policies"], key=lambda each: each["regret"]["value"])
    return [_policy(each) for each in ranked] + [_naive(each) for each in found["baselines"]]


def markdown(found: Mapping[str, Any]) -> str:
    """As a page."""
    rows = ["| " + " | ".join(cells) + " |" for cells in (HEADS, ("---",) * len(HEADS), *lines(found))]
    return "\n".join([f"# Backtest of {found['scenario']}", "", summary(found), "", *rows, "", advice(found), ""])


def summary(found: Mapping[str, Any]) -> str:
    """What was played."""
    windows = found["windows"]
    better = "higher" if found["sign"] > 0 else "lower"
    late = found["label_delay_windows"]
    delay = f"labels {late} windows late" if late else "labels known at the end of their window"
    blank = sum(score is None for score in found["policies"][0]["scores"])
    unscored = f" In {blank} windows {found['metric']} is not defined: they are in no score." if blank else ""
    return (
        f"{len(windows)} windows of about {windows[0]['rows']} rows after the first {windows[0]['first_row']}; "
        f"{found['metric']}, {better} is better; recipe {found['recipe']['recipe']}; {delay}.{unscored}"
    )


def advice(found: Mapping[str, Any]) -> str:
    """The recommendation, with its uncertainty."""
    chosen = found["recommended"]
    return f"Recommended: {chosen['policy']} ({chosen['reason']}). What skips the gate is compared, never recommended."


def recommended_settings(found: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of params.yaml that make production do what was recommended.

    In the backtest a window was new at every look. In production a look may find one new label, so that a policy by the
    window waits for as many new rows as the smallest window had.
    """
    name = found["recommended"]["policy"]
    settings: dict[str, Any] = next(each["settings"] for each in found["policies"] if each["name"] == name)
    if settings["trigger.policy"] not in BY_WINDOW:
        return settings
    return settings | {"trigger.min_new_rows": min(window["rows"] for window in found["windows"])}


def _policy(each: Mapping[str, Any]) -> tuple[str, ...]:
    score = each["score"]
    return (
        each["name"],
        f"{format_score(score['value'])} [{format_score(score['low'])}, {format_score(score['high'])}]",
        format_interval(Interval(**each["gain_over_static"])),
        str(each["retrainings"]),
        str(each["promotions"]),
        f"{each['cpu_seconds']:.1f}",
        format_interval(Interval(**each["regret"])),
    )


def _naive(each: Mapping[str, Any]) -> tuple[str, ...]:
    score = "not defined" if each["score"] is None else format_score(each["score"])
    return (f"naive: {describe_baseline(each['name'])}", score, *([""] * (len(HEADS) - 2)))
