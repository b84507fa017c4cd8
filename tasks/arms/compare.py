"""Look at the arms: read what both answered and the labels that have come, decide, and act on it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from releve.adapters.git_dvc.committed import Committed, read_committed
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.registry.registry import Registry, StaleArms
from releve.core.settings import Settings
from releve.domain.approval.approval import Approval
from releve.domain.arms.arms import Arm, ArmMode, ArmsEnded, ArmsOutcome, RunningArms, running_arms
from releve.domain.arms.comparison import ArmAnswers, ArmPrices, LiveComparison, challenger_rows, compare
from releve.domain.arms.decision import ArmsAction, ArmsCompared, decide
from releve.domain.decision.policy import DecisionTable
from releve.domain.evaluation.metrics import resolve
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.prediction_log.records import answers_from, parse_since, timestamp
from releve.domain.registry.chain import ARM_CHANGES, ARMS_COMPARED, MOVES, RELEASED
from releve.domain.registry.events import Challenger, release_of
from releve.reporting.live_comparison import describe_decision
from tasks.arms.arms import start_arms
from tasks.history import newest_of
from tasks.places import ScenarioState
from tasks.release import acceptance
from tasks.release.acceptance import NotAccepted, ask_people
from tasks.release.release import ReleaseResult, release

ACTOR = "compare"


def arms_run(settings: Settings, scenario: str) -> bool:
    """Whether there is something to look at: a challenger that takes part in live traffic, or a promotion that was
    killed before its end was told."""
    registry = Registry(settings.registry_url)
    return registry.arms(scenario) is not None or _untold_promotion(registry, scenario) is not None


@dataclass(frozen=True)
class ArmsLook:
    """The arms that run, and what was seen of them."""

    running: RunningArms
    compared: ArmsCompared


def try_aside(settings: Settings, scenario: str, challenger: Challenger) -> RunningArms | None:
    """Have a challenger that shows neither gain nor harm answer aside, where `gate.inconclusive` asks for it.

    None where it does not, and where another challenger is being tried: its evidence is not thrown away.
    """
    wanted = read_committed(settings, scenario).params.gate.inconclusive == "shadow"
    if not (wanted and challenger.inconclusive) or Registry(settings.registry_url).arms(scenario):
        return None
    reason = "the gate saw neither gain nor harm: live labels decide"
    return start_arms(settings, scenario, mode=ArmMode.SHADOW, model=challenger.model, reason=reason, actor="retrain")


def look_at_arms(settings: Settings, scenario: str) -> ArmsLook | None:
    """Compare the arms that run, and decide; None where none do. Nothing is written where nothing has changed."""
    truth, registry = read_committed(settings, scenario), Registry(settings.registry_url)
    running = registry.arms(scenario)
    if running is None:
        if untold := _untold_promotion(registry, scenario):
            promoted, reason = untold
            _tell_end(registry, scenario, ArmsOutcome.PROMOTED, promoted, reason=reason)
        return None
    comparison = _compare(settings, scenario, truth, running)
    compared = ArmsCompared(comparison=comparison, decision=decide(comparison, max_rows=truth.params.arms.max_rows))
    before = next(newest_of(registry, scenario, ARMS_COMPARED), None)
    if compared.is_news(before.read(ArmsCompared) if before else None):
        registry.append(scenario, compared, reason=describe_decision(compared), actor=ACTOR)
    return ArmsLook(running, compared)


def settle(settings: Settings, scenario: str, look: ArmsLook) -> ReleaseResult | Approval | None:
    """Do what a look decided: release the challenger, or end the arms; None unless it is released.

    Where people have to approve a release, it asks them, and the arms go on while the returned request waits.

    Raises what `release` does but NotAccepted, and StaleArms where the arms were changed meanwhile.
    """
    action, started, released = look.compared.decision.action, look.running.started, None
    if action is ArmsAction.CONTINUE:
        return None
    reason, outcome = describe_decision(look.compared), ArmsOutcome.STOPPED
    if action is ArmsAction.PROMOTE:
        outcome = ArmsOutcome.PROMOTED
        challenger = started.challenger.model
        try:
            waiting = ask_people(settings, scenario, model=challenger, shown_live=True, actor=ACTOR)
            if waiting:
                return waiting
            released = release(settings, scenario, model=challenger, reason=reason, actor=ACTOR, shown_live=True)
        except NotAccepted as error:  # a shadow may be one that a floor refuses, and live labels do not speak of those
            outcome, reason = ArmsOutcome.STOPPED, f"{reason}; and yet it is not released: {error}"
    _tell_end(Registry(settings.registry_url), scenario, outcome, look.running, reason=reason)
    return released


def _untold_promotion(registry: Registry, scenario: str) -> tuple[RunningArms, str] | None:
    """The arms that a promotion ended, and its reason, where whoever released the challenger was killed then: the
    newest move is that release, and no event tells how the arms ended."""
    newest = registry.newest(scenario, kinds=(*ARM_CHANGES, *MOVES))
    move = next(newest, None)
    if move is None or move.kind != RELEASED or move.actor not in (ACTOR, acceptance.ACTOR):
        return None
    ended, release = running_arms(newest), release_of(move)
    # what people approved may be another challenger than the one that was tried
    is_ours = ended is not None and release is not None and ended.started.challenger.model == release.model
    return (ended, move.reason) if ended and is_ours else None


def _tell_end(registry: Registry, scenario: str, outcome: ArmsOutcome, running: RunningArms, *, reason: str) -> None:
    started = running.started
    ended = ArmsEnded(outcome=outcome, champion=started.champion, challenger=started.challenger.model)
    try:
        registry.end_arms(scenario, ended, expected=running.number, reason=reason, actor=ACTOR)
    except StaleArms:
        if outcome is not ArmsOutcome.PROMOTED:  # else a comparison beside this one told it
            raise


def _compare(settings: Settings, scenario: str, truth: Committed, running: RunningArms) -> LiveComparison:
    params, target = truth.params, truth.schema.target
    ledger = LedgerReader(ScenarioState(settings.home, scenario).ledger)
    models = {Arm.CHAMPION: running.started.champion, Arm.CHALLENGER: running.started.challenger.model}
    requests = [line for line in ledger.requests(since=parse_since(running.since)) if line.model in models.values()]
    own = {
        arm: answers_from([line for line in requests if line.model == model], featureless=True)
        for arm, model in models.items()
    }
    shadows = ledger.shadows(since=running.since, model=models[Arm.CHALLENGER])
    answers = ArmAnswers(
        mode=running.started.mode,
        since=running.since,
        models=models,
        rows={
            Arm.CHAMPION: own[Arm.CHAMPION],
            Arm.CHALLENGER: challenger_rows(shadows, own[Arm.CHALLENGER], own[Arm.CHAMPION]),
        },
        is_shadow=running.only_shadow,
        failed=sum(bool(line.error) for line in shadows),
    )
    labels = ledger.labels(with_queued=True)
    table = DecisionTable.of(params.decision, truth.schema, source=f"scenarios/{scenario}/params.yaml")
    return compare(
        answers,
        labels,
        target,
        queued=labels.keys() - ledger.labels().keys(),
        metric=resolve(params.gate.metric, target.task),
        quantile=params.gate.quantile,
        confidence=params.statistics.confidence,
        prices=ArmPrices(table, params.statistics.min_rows, BootstrapConfig.of(params.statistics)) if table else None,
        matured=timestamp(datetime.now(UTC) - timedelta(hours=params.arms.label_delay_hours)),
    )
