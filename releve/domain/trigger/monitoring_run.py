"""What one monitoring run found and decided: the document beside its report, and the payload of its event."""

from dataclasses import dataclass

from releve.domain.decision.realised import RealisedCost
from releve.domain.drift.verdict import DriftVerdict
from releve.domain.features.lateness import LateValues
from releve.domain.quality.estimate import Estimate
from releve.domain.quality.late import LateQuality, telling_late
from releve.domain.quality.payoff import Payoff
from releve.domain.quality.realised import Quality
from releve.domain.quality.staleness import Staleness
from releve.domain.registry.chain import MONITORED, EventPayload
from releve.domain.trigger.rollback import RollbackDecision
from releve.domain.trigger.trigger import TriggerDecision


@dataclass(frozen=True)
class AnsweredWindow:
    """The newest answers, which drift and estimate are judged on."""

    rows: int
    first_at: str | None  # ISO 8601, UTC; None where there is no answer
    last_at: str | None
    labelled: int  # of the rows


class MonitoringRun(EventPayload):
    """monitoring_run.json. `releve.reporting.messages.monitoring` writes its sentences."""

    kind = MONITORED

    scenario: str
    model: str
    at: str  # ISO 8601, UTC
    window: AnsweredWindow
    drift: DriftVerdict
    drift_is_news: bool = True  # False where the run before came to the same verdict over the same rows
    quality: Quality
    late: LateQuality | None = None  # of releases before it, by labels that came late; None: too few
    estimate: Estimate
    staleness: Staleness
    late_values: tuple[LateValues, ...] = ()  # of lagged columns, later than declared
    rows: int  # labelled rows there are, ingested or ready to be
    new_rows: int  # of these, since the last challenge
    corrected_rows: int = 0  # labels that batches since then corrected
    money: RealisedCost | None = None  # what decisions have cost; None of a model without costs
    payoff: Payoff | None  # what the last promotion brought; None where nobody knows
    payoff_problem: str = ""  # why the champion before could not be asked
    rollback: RollbackDecision  # whether the release before comes back by itself
    decision: TriggerDecision
    report: str  # name of the folder with this document and the drift report

    @property
    def telling_late(self) -> LateQuality | None:
        """Return what late labels say where they tell more than the model's own."""
        return telling_late(self.quality, self.late)

    @property
    def until(self) -> str:
        """Time of the newest answer that it saw, or its own."""
        return self.window.last_at or self.at
