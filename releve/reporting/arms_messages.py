"""What became of arms, in words."""

from releve.core.formatting import counted
from releve.domain.experiment.arms import ArmMode, ArmsStarted, FiredGuard, GuardKind


def describe_arms(started: ArmsStarted) -> str:
    """Say which requests the challenger answers."""
    challenger = started.challenger.model
    if started.mode is ArmMode.SHADOW:
        return f"{challenger} is asked aside, as a shadow of {started.champion}"
    named = "as a canary" if started.mode is ArmMode.CANARY else "in an A/B test"
    return f"{challenger} answers {started.share:.3g} of the keys in the place of {started.champion}, {named}"


def describe_guard(guard: FiredGuard) -> str:
    """Say what a guard measured."""
    measured = f"of the newest {counted(guard.requests, 'request')}"
    if guard.kind is GuardKind.ERROR_RATE:
        return (
            f"the challenger failed at {guard.value:.1%} {measured}, and at most {guard.limit:.1%} are allowed "
            "(params.yaml: experiment.max_error_rate)"
        )
    return (
        f"99 of 100 answers of the champion took up to {guard.value:.3g} ms, {measured}, and at most "
        f"{guard.limit:g} ms are allowed (params.yaml: experiment.max_p99_ms)"
    )
