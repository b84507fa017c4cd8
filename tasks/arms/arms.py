"""Have a challenger take part in live traffic, change how it does, end it, and say how it stands."""

from collections import Counter
from contextlib import suppress

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import scenario_lock
from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.core.errors import BadInput, NotFound
from releve.core.settings import Settings
from releve.domain.arms.arms import Arm, ArmMode, ArmsEnded, ArmsOutcome, ArmsStarted, ArmsStatus, RunningArms
from releve.domain.prediction_log.records import parse_since
from releve.domain.registry.events import Challenger
from releve.reporting.messages.arms import describe_arms, describe_no_trial
from tasks.history import last_challenger
from tasks.monitoring.champion import check_released
from tasks.release.acceptance import NotAccepted
from tasks.release.index import tidy_indexes
from tasks.release.prepare import prepare

SHARE = 0.1  # of the keys: what a challenger breaks, it breaks for a tenth


def start_arms(
    settings: Settings,
    scenario: str,
    *,
    mode: ArmMode = ArmMode.SHADOW,
    share: float | None = None,
    model: str | None = None,
    reason: str = "",
    actor: str = "arms",
) -> RunningArms:
    """Have the challenger judged last, or the one named by `model`, take part. Running it again changes nothing.

    `share`: SHARE where left out; a shadow has none. Arms that run keep their challenger where no other one is named.
    Raises NotFound, NotAccepted, BadInput, Conflict, and what `prepare` raises.
    """
    params = read_committed(settings, scenario).params
    with scenario_lock(settings.home, scenario, holder="arms", wait_seconds=settings.wait_seconds):
        registry = Registry(settings.registry_url)
        serving = check_released(registry.current(scenario), scenario).release
        champion = serving.model
        running = registry.arms(scenario)
        named = model or (running.started.challenger.model if running else None)
        challenger = last_challenger(registry, scenario, model=named)
        answered = _checked_share(mode, share)
        taken_back = registry.taken_back(scenario)
        check_may_take_part(challenger, champion, mode, taken_back=taken_back.model if taken_back else "")

        prepared = prepare(settings, challenger, params.index, serving=serving)
        started = ArmsStarted(mode=mode, challenger=prepared.release, champion=champion, share=answered)
        if running is None or not running.started.same_trial(started):
            expected = running.number if running else None
            why = reason or describe_arms(started)
            registry.start_arms(scenario, started, expected=expected, reason=why, actor=actor)
        tidy_indexes(settings, registry, scenario)
        return _running(registry, scenario)


def stop_arms(settings: Settings, scenario: str, *, reason: str, actor: str = "arms") -> RunningArms:
    """End the arms that run, and return them; the champion answers alone from now on. Raises NotFound without any."""
    registry = Registry(settings.registry_url)
    running = _running(registry, scenario)
    ended = ArmsEnded(
        outcome=ArmsOutcome.STOPPED,
        champion=running.started.champion,
        challenger=running.started.challenger.model,
    )
    registry.end_arms(scenario, ended, expected=running.number, reason=reason, actor=actor)
    with suppress(IndexUnavailable):  # they ended: the next release tidies up
        tidy_indexes(settings, registry, scenario)
    return running


def arms_status(settings: Settings, scenario: str) -> ArmsStatus | None:
    """Say which arms run, and what they have answered; None for none."""
    running = Registry(settings.registry_url).arms(scenario)
    if running is None:
        return None
    ledger, started = LedgerReader(settings.home / "ledger" / scenario), running.started
    rows = Counter[str]()
    for line in ledger.requests(since=parse_since(running.since)):
        if line.model in (started.champion, started.challenger.model):
            rows[line.arm] += len(line.rows) - len(line.erased)
    shadows = ledger.shadows(since=running.since, model=started.challenger.model)
    return ArmsStatus(
        running,
        champion_rows=rows[Arm.CHAMPION],
        challenger_rows=rows[Arm.CHALLENGER],
        shadow_rows=sum(len(line.labels) for line in shadows),
        failed=sum(bool(line.error) for line in shadows),
    )


def check_may_take_part(challenger: Challenger, champion: str, mode: ArmMode, *, taken_back: str) -> None:
    """Raises NotAccepted for a challenger that may not answer in that mode. A shadow harms nobody: any may be one."""
    scenario, model = champion.partition(":")[0], challenger.model
    if model == champion:
        raise NotAccepted(f"{model} serves already; make retrain SCENARIO={scenario} makes a challenger")
    if mode is ArmMode.SHADOW:
        return
    if not challenger.promote and not challenger.inconclusive:
        why = "; ".join(challenger.sentences)
        raise NotAccepted(f"the gate refused {model}, which may answer as a shadow alone (--shadow): {why}")
    if model == taken_back:
        raise NotAccepted(f"{model} was rolled back, and may answer as a shadow alone (--shadow)")


def _checked_share(mode: ArmMode, share: float | None) -> float:
    """Raise BadInput for a share that the mode does not take."""
    if mode is ArmMode.SHADOW:
        if share:
            raise BadInput("a shadow has no share: it is asked what the champion is asked")
        return 0.0
    wanted = SHARE if share is None else share
    if not 0 < wanted < 1:
        raise BadInput(f"the share is {wanted:g}; expected a number between 0 and 1, as .1 for a tenth")
    return wanted


def _running(registry: Registry, scenario: str) -> RunningArms:
    running = registry.arms(scenario)
    if running is None:
        raise NotFound(describe_no_trial(scenario))
    return running
