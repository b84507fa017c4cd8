"""What became of arms, in words."""

from releve.core.formatting import counted, to_the_second
from releve.domain.arms.arms import ArmMode, ArmsStarted, ArmsStatus, FiredGuard, GuardKind


def describe_arms(started: ArmsStarted) -> str:
    """Say which requests the challenger answers."""
    challenger = started.challenger.model
    if started.mode is ArmMode.SHADOW:
        return f"{challenger} is asked aside, as a shadow of {started.champion}"
    named = "as a canary" if started.mode is ArmMode.CANARY else "in an A/B test"
    return f"{challenger} answers {started.share:.3g} of the keys in the place of {started.champion}, {named}"


def describe_no_trial(scenario: str) -> str:
    """Say that the champion answers alone, and how to change that."""
    how = f".venv/bin/releve arms {scenario} --shadow starts one"
    return f"no challenger of {scenario} takes part in live traffic: {how}"


def describe_status(scenario: str, status: ArmsStatus | None) -> str:
    """Say which arms run, and what they have answered since this pair began."""
    if status is None:
        return describe_no_trial(scenario)
    running, rows = status.running, counted(status.champion_rows, "row")
    begun = f"{describe_arms(running.started)}; this pair began at {to_the_second(running.since)}"
    answered = f"the champion answered {rows}, the challenger {status.challenger_rows + status.shadow_rows:,}"
    if running.started.mode is not ArmMode.SHADOW:
        return f"{begun}\n{answered}"
    missed, failed = counted(status.champion_rows - status.shadow_rows, "row"), counted(status.failed, "request")
    return f"{begun}\n{answered}: it has no answer to {missed} of the champion's, and failed at {failed}"


def describe_guard(guard: FiredGuard) -> str:
    """Say what a guard measured."""
    measured = f"of the newest {counted(guard.requests, 'request')}"
    if guard.kind is GuardKind.ERROR_RATE:
        return (
            f"the challenger failed at {guard.value:.1%} {measured}, and at most {guard.limit:.1%} are allowed "
            "(params.yaml: arms.max_error_rate)"
        )
    return (
        f"99 of 100 answers of the champion took up to {guard.value:.3g} ms, {measured}, and at most "
        f"{guard.limit:g} ms are allowed (params.yaml: arms.max_p99_ms)"
    )
