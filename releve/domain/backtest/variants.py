"""What a backtest compares: the loop under several settings, and the rivals that every table of it shows.

A policy is some keys of params.yaml, so that the one that is recommended can be written there as it was backtested.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from releve.core.params import Params, merge, parse
from releve.domain.trigger.policies import REFRESH, SCHEDULE, STATIC

SHIPPED = "as set"  # what params.yaml says
EVERY_WINDOW, NEVER, SINGLE, LATE = "every window", "never", "single model", "served a window late"
CADENCES = (2, 4, 8)  # windows between two refreshes, of the schedules
LAST_WINDOWS = 5  # that the second cron job learns from


@dataclass(frozen=True)
class PolicyVariant:
    """The loop with `settings` put over the scenario's params. `cadence`: windows between refreshes, 0 is never."""

    name: str
    settings: Mapping[str, Any]  # "section.key": value
    cadence: int | None = None  # None where the settings are not about it
    deploy_delay: int = 0  # windows between a refresh and its service

    def params(self, base: Params) -> Params:
        """Return the scenario's params with this policy's settings."""
        sections: dict[str, dict[str, Any]] = {}
        for key, value in self.settings.items():
            section, _, name = key.partition(".")
            sections.setdefault(section, {})[name] = value
        return parse(merge(base.model_dump(), sections), source=f"the policy {self.name!r}")


@dataclass(frozen=True)
class CronJob:
    """The rival in a crontab: boosting with scikit-learn's defaults, fitted before each window, served without a gate.

    It learns from all past rows, or from the newest `last_windows` alone.
    """

    name: str
    last_windows: int = 0


CRON = CronJob("cron job")
CRON_NEWEST = CronJob(f"cron job, last {LAST_WINDOWS}", LAST_WINDOWS)
Variant = PolicyVariant | CronJob


def variants(params: Params) -> tuple[Variant, ...]:
    """List all that is compared: what ships, each cadence, a slow deployment, one model alone, and the cron jobs.

    A cadence waits for no number of rows: each window of a backtest is a batch.
    """
    cadences = (
        PolicyVariant(EVERY_WINDOW, _policy(REFRESH), 1),
        *(PolicyVariant(f"every {k} windows", _policy(SCHEDULE) | {"trigger.every_batches": k}, k) for k in CADENCES),
        PolicyVariant(NEVER, _policy(STATIC), 0),
    )
    single = PolicyVariant(SINGLE, {"train.ensemble": False, "trigger.policy": REFRESH, "trigger.min_new_rows": 1})
    late = PolicyVariant(LATE, _policy(REFRESH), deploy_delay=1)
    return PolicyVariant(SHIPPED, {}), *cadences, late, single, CRON, CRON_NEWEST


def _policy(name: str) -> dict[str, Any]:
    return {"trigger.policy": name, "trigger.min_new_rows": 1}
