"""Compare champion and challenger on live traffic, and do what the labels decide."""

from typing import Any

from prefect import flow
from prefect.events import emit_event

from flows.release import announce
from flows.shared.asking import ask_in_prefect
from flows.shared.context import Scenario, begin, resource_of, show, step
from flows.shared.publish import publish
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed
from releve.core.settings import Settings
from releve.domain.approval.approval import Approval
from releve.domain.arms.decision import ArmsCompared
from releve.domain.registry.events import Challenger
from releve.reporting.live_comparison import describe_costs, describe_decision, describe_missing
from releve.reporting.messages.arms import describe_arms, describe_no_trial
from tasks.arms import compare as compare_step
from tasks.arms.compare import ArmsLook, arms_run
from tasks.release.release import ReleaseResult

run_compare = step(compare_step.look_at_arms, name="compare")
run_try_aside = step(compare_step.try_aside, name="try aside")
run_settle = step(compare_step.settle, name="settle")


@flow(name="compare", flow_run_name="compare {scenario}", log_prints=True)
@scenario_run()
def compare(scenario: Scenario) -> Any:
    """Promote a challenger that live labels show to be better, stop one that they show to be worse, or let it go on.

    It may run as often as one likes. Ends with the ArmsLook, or None where no challenger takes part in live traffic.
    """
    settings = begin(scenario)
    look = compare_arms(settings, scenario)
    if look is None:
        return completed(describe_no_trial(scenario), None)
    publish(settings, scenario)
    return completed(describe_decision(look.compared), look)


def compare_arms(settings: Settings, scenario: str) -> ArmsLook | None:
    """Look at the arms that run, show what was seen, and promote or stop the challenger where that is decided."""
    look: ArmsLook | None = run_compare(settings, scenario) if arms_run(settings, scenario) else None
    if look is None:
        return None
    show_comparison(scenario, look.compared)
    outcome: ReleaseResult | Approval | None = run_settle(settings, scenario, look)
    if isinstance(outcome, Approval):
        ask_in_prefect(outcome)
    elif outcome:
        announce(scenario, outcome)
    return look


def try_aside(settings: Settings, scenario: str, challenger: Challenger) -> None:
    """Have a challenger answer aside that the gate found neither better nor worse, where the settings say so."""
    if challenger.inconclusive and (running := run_try_aside(settings, scenario, challenger)):
        print(describe_arms(running.started))


def show_comparison(scenario: str, compared: ArmsCompared) -> None:
    """Show the decision and what is missing to one, and tell the rest of Prefect."""
    from releve.reporting.blocks import Block, TextBlock
    from releve.reporting.page.arms import comparison_figures

    sentence, missing, action = describe_decision(compared), describe_missing(compared), compared.decision.action
    costs = describe_costs(compared.comparison)
    print("\n  missing: ".join(["\n  ".join([f"{action}: {sentence}", *costs]), *missing]))
    blocks: list[Block] = [comparison_figures(compared.comparison)]
    blocks += [TextBlock(costs)] if costs else []
    blocks += [TextBlock(missing, points=True)] if missing else []
    show("arms", scenario, f"{scenario}: {action}", blocks, summary=sentence, description=action)
    emit_event(
        event=f"releve.arms.{action}",
        resource=resource_of(scenario),
        payload={"scenario": scenario, "challenger": compared.comparison.challenger.model, "why": sentence},
    )
