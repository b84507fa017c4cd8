"""Commands that ask: which release serves, what happened and why. Tables for people, `--json` for machines."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from releve.cli.output import AsJson, ScenarioName, begin, print_json, print_table, read_settings
from releve.core.errors import BadInput, NotFound
from releve.core.formatting import counted, plural, to_the_second
from releve.core.names import SCENARIO_NAME
from releve.core.settings import Settings

if TYPE_CHECKING:
    from releve.adapters.registry.registry import Current, Registry
    from releve.domain.registry.chain import Event

AnyScenario = Annotated[str | None, typer.Argument(metavar="[SCENARIO]", help="All if left out.", show_default=False)]


def current(scenario: ScenarioName, json: AsJson = False) -> None:
    """Show which release serves now."""
    with _registry(scenario) as registry:
        _print_release(registry.current(scenario), scenario, moment="now", json=json)


def at(
    scenario: ScenarioName,
    time: Annotated[str, typer.Argument(metavar="TIME", help="Such as 2026-05-31T14:00:00+02:00; UTC without a zone.")],
    json: AsJson = False,
) -> None:
    """Show which release served at a time."""
    try:
        when = datetime.fromisoformat(time)
    except ValueError:
        raise BadInput(f"{time!r} is not a time; expected ISO 8601, for example 2026-05-31T14:00:00+02:00") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    try:
        when.astimezone(UTC)
    except OverflowError:
        raise BadInput(f"{time!r} lies outside the years 1 to 9999 in UTC; expected a time within them") from None
    with _registry(scenario) as registry:
        _print_release(registry.at(scenario, when), scenario, moment=f"at {when.isoformat()}", json=json)


def history(
    scenario: AnyScenario = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only events of this kind; may be repeated.")] = None,
    json: AsJson = False,
) -> None:
    """List what happened, by whom and why, oldest first."""
    from releve.domain.registry.chain import KINDS

    for unknown in set(kind or ()) - set(KINDS):
        close = get_close_matches(unknown, KINDS, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise BadInput(f"there is no kind of event {unknown!r}; {hint}There are {', '.join(KINDS)}")
    with _registry(scenario) as registry:
        events = registry.events(scenario, kinds=kind or None)
    if json:
        print_json([event.as_dict() for event in events])
    elif not events:
        print("no such events")
    else:
        rows = [
            (event.scenario, event.number, to_the_second(event.at), event.kind, event.actor, _what_happened(event))
            for event in events
        ]
        print_table(("scenario", "event", "at", "kind", "actor", "reason"), rows)


def models(scenario: ScenarioName, json: AsJson = False) -> None:
    """List every model version that was judged, and its state."""
    from releve.domain.registry.chain import CHALLENGED
    from releve.domain.registry.events import Challenger
    from releve.domain.registry.lifecycle import model_version_statuses
    from releve.reporting.comparison import describe_score
    from releve.reporting.messages.gate import full_status_reason, gate_reasons, status_reason

    with _registry(scenario) as registry:
        events = registry.events(scenario)
    challengers = {each.model: each for each in (one.read(Challenger) for one in events if one.kind == CHALLENGED)}
    judged = [(challengers[model], status) for model, status in model_version_statuses(events).items()]
    if json:
        print_json(
            [
                {
                    "model": model.model,
                    "state": status.state,
                    "metric": model.evaluation.metric,
                    "score": model.score,
                    "own_metric": model.evaluation.own_metric,
                    "own_score": model.evaluation.own_score,
                    "naive": model.evaluation.naive,
                    "rows": model.rows,
                    "since": status.since,
                    "reason": status_reason(status),
                    "gate": gate_reasons(status),
                }
                for model, status in judged
            ]
        )
    elif not judged:
        print(f"no model of {scenario!r} was judged yet")
    else:
        rows = [
            (
                model.model,
                status.state,
                describe_score(model.evaluation, with_interval=False),
                f"{model.rows:,}",
                to_the_second(status.since),
            )
            for model, status in judged
        ]
        print_table(("model", "state", "score", "rows", "since"), rows)
        print_table(("model", "why"), [(model.model, full_status_reason(status)) for model, status in judged])


def verify(
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="[SCENARIO | PACK.zip]", help="All scenarios if left out.", show_default=False),
    ] = None,
    json: AsJson = False,
) -> None:
    """Check that the history is as it was written, or that a pack of evidence is."""
    if scenario is not None and scenario.endswith(".zip"):  # which no scenario's name does
        _verify_pack(Path(scenario), json=json)
        return
    with _registry(scenario) as registry:
        checked = registry.verify(scenario)
    if json:
        print_json({"events": checked})
    else:
        print(f"{checked} events checked: every hash holds, every release is where its last move put it")


def _verify_pack(pack: Path, *, json: bool) -> None:
    from tasks.evidence import verify_evidence

    found = verify_evidence(read_settings(), pack)
    if json:
        print_json(asdict(found))
        return
    print(f"{pack} holds: evidence of {found.model}, {found.files} files, {counted(found.head, 'event')}")
    print(f"its sha256 {found.sha256} stands in event {found.event}, and its chain is that of the registry")
    print("\n".join(f"MISSING: {each}" for each in found.missing))


def card(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="SCENARIO:VERSION, as `releve models` lists them.")],
    html: Annotated[Path | None, typer.Option(help="Write an HTML page to this file instead.")] = None,
) -> None:
    """Print what a model version is for, made of and worth: its model card, as Markdown."""
    from releve.adapters.files import write_bytes
    from releve.reporting.html import render_html
    from releve.reporting.markdown import render_markdown
    from tasks.reporting.model_card import card_of

    with _registry(model.partition(":")[0]):  # which says where there is no such scenario
        model_card = card_of(read_settings(), model)
    if html is None:
        print(render_markdown(model_card))
    else:
        write_bytes(html.resolve(), render_html(model_card).encode())
        missing = model_card.missing
        print(f"written to {html.resolve()}; {counted(missing, 'thing')} {plural(missing, 'is', 'are')} MISSING")


def page(
    scenario: AnyScenario = None,
    html: Annotated[Path | None, typer.Option(help="Write to this file instead of one below var/pages.")] = None,
    json: AsJson = False,
) -> None:
    """Write the scenario's page; without one, show what needs a person in any of them, and write the start page."""
    from releve.reporting.start_page import board_table, headline, needs_table, standing_as_dict
    from tasks.reporting.fleet_page import write_fleet_page
    from tasks.reporting.page import write_page

    if scenario is not None:
        path = write_page(begin(scenario), scenario, path=html and html.resolve())
        print_json({"page": str(path)}) if json else print(path)
        return
    done = write_fleet_page(read_settings(), path=html and html.resolve())
    if json:
        print_json({"page": str(done.path), "scenarios": [standing_as_dict(one) for one in done.standings]})
        return
    print_table(*board_table(done.standings, made_at=done.made_at), figures=True)
    if any(one.needs for one in done.standings):
        print_table(*needs_table(done.standings, made_at=done.made_at))
    print(f"{headline(done.standings)}: {done.path}")


def serving_model(scenario: str, settings: Settings) -> str:
    """Say which model serves, or why none does and what to do."""
    from releve.domain.registry.chain import ARCHIVED, CHALLENGED, WITHDRAWN
    from releve.reporting.messages.gate import nothing_serves

    with _registry(None, settings) as registry:
        if serving := registry.current(scenario):
            return f"{serving.release.model} serves {scenario}"
        return nothing_serves(scenario, registry.events(scenario, kinds=(CHALLENGED, ARCHIVED, WITHDRAWN)))


@contextmanager
def _registry(scenario: str | None, settings: Settings | None = None) -> "Iterator[Registry]":
    """Open the registry. Raises NotFound for a scenario with neither a folder in the project nor events."""
    from releve.adapters.registry.registry import Registry

    settings = settings or read_settings()
    registry = Registry(settings.registry_url)
    try:
        if scenario is not None:
            folders = {path.name for path in (settings.project / "scenarios").glob("*/")}
            known = {name for name in folders if SCENARIO_NAME.fullmatch(name)} | set(registry.scenarios())
            if scenario not in known:
                there = (
                    f"there are {', '.join(sorted(known))}" if known else "there are none yet: `make scenario` adds one"
                )
                raise NotFound(f"there is no scenario {scenario!r}; {there}")
        yield registry
    finally:
        registry.close()


def _print_release(current: "Current | None", scenario: str, *, moment: str, json: bool) -> None:
    if json:
        print_json(
            current
            and {"release": current.release.model_dump(mode="json"), "number": current.number, "since": current.since}
        )
    elif current is None:
        print(f"no release of {scenario!r} serves {moment}")
    else:
        from releve.reporting.messages.releases import release_lines

        rows = [*release_lines(current.release), ("since", f"{to_the_second(current.since)}, event {current.number}")]
        print_table((scenario, moment), rows)


def _what_happened(event: "Event") -> str:
    """Return the reason; for a challenge the gate's verdict and reasons too."""
    from releve.domain.registry.chain import CHALLENGED
    from releve.domain.registry.events import Challenger
    from releve.reporting.comparison import describe_score
    from releve.reporting.messages.approval import history_reason
    from releve.reporting.messages.gate import outcome

    if event.kind != CHALLENGED:
        return history_reason(event)
    challenge = event.read(Challenger)
    reasons = "\n".join(f"- {reason}" for reason in challenge.sentences)
    score = describe_score(challenge.evaluation, with_interval=False)
    return f"{challenge.model} {outcome(challenge)} ({score}); why it was made: {event.reason}\n{reasons}"
