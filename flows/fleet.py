"""Look which scenarios have something to do, in one process, and start a run of these alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import flow

from flows.shared.context import read_settings, step
from flows.shared.publish import send_alerts, update_start_page
from flows.shared.states import alert_of_fleet, completed, unless_attention
from releve.adapters.prefect.api import PrefectApi, PrefectRuns, authorization_of
from releve.adapters.prefect.deployments import follow_scenarios
from releve.adapters.prefect.open_runs import end_lost, open_runs
from releve.core.errors import BadInput, ReleveError
from releve.domain.scheduling.due import PATIENCE_HOURS, DueRun, silent_hours
from releve.reporting.messages.fleet import describe_look, describe_unreadable
from tasks import fleet as fleet_step
from tasks.fleet import FleetLook

PREFECT_SECONDS = 30.0  # for each thing that is asked of a busy server
run_look = step(fleet_step.look_at_all, name="look")


@dataclass(frozen=True)
class FleetRound:
    """What one tick saw and did."""

    look: FleetLook
    started: Mapping[str, DueRun]  # new runs, by scenario
    silent: tuple[str, ...]  # scenarios without a monitoring run for too long


@flow(name="fleet", flow_run_name="fleet", log_prints=True)
def fleet() -> Any:
    """Start what is due: waiting files, queries, refreshes, monitoring runs. Ends with the FleetRound.

    It offers new scenarios in every form, too, raises an alarm where no monitoring run ended for too long, and writes
    the start page.
    """
    settings = read_settings()
    prefect = PrefectRuns.of(settings, seconds=PREFECT_SECONDS)
    if prefect is None:
        raise BadInput("the flow fleet starts runs in Prefect, and PREFECT_API_URL names none: `make up` starts one")
    now = datetime.now(UTC)
    look: FleetLook = run_look(settings, now=now)
    api = PrefectApi(settings.prefect_api_url, headers=authorization_of(settings))
    for name in follow_scenarios(api, look.schedules):
        print(f"the deployment {name} follows scenarios/ and their schedules")
    runs = open_runs(api) if look.due else []
    lost = end_lost(api, runs, now=now)
    for run in lost:
        print(f"{run.name} crashed some time ago: its process is gone, with its worker")
    at_work: dict[str, datetime] = {}
    for run in runs:
        if run not in lost and (run.is_alone or run.state != "RUNNING"):  # a backtest keeps nobody away
            at_work[run.scenario] = min(run.created, at_work.get(run.scenario, run.created))
    started, known = dict[str, DueRun](), set[str]()
    for scenario, due in look.due.items():
        if scenario in at_work:
            continue
        try:
            made, is_new = prefect.start(scenario, due.flow, {}, key=due.key, reason=due.reason, tags=("fleet",))
        except ReleveError as error:
            print(f"{scenario}: {due.flow} was not started: {error}")
            continue
        if is_new:
            started[scenario] = due
            print(f"{scenario}: {due.flow} started, {due.reason}: {made.url}")
        else:
            known.add(scenario)
    patient = now - timedelta(hours=PATIENCE_HOURS)
    stuck = known | {scenario for scenario, since in at_work.items() if since < patient}
    silent = tuple(name for name in sorted(stuck) if silent_hours(look.facts[name].plan, look.facts[name].events, now))
    for scenario in silent:
        if fleet_step.note_silence(settings, scenario, look.facts[scenario], now=now):
            send_alerts(settings, scenario)
    update_start_page(settings)
    done = FleetRound(look, started, silent)
    state = completed(describe_look(len(look.facts), started, silent), done)
    unreadable = describe_unreadable(look.unreadable)
    if unreadable and look.unreadable_is_news:
        alert_of_fleet(unreadable)
    return unless_attention(unreadable, state)
