"""What `python -m releve` can do: a table of commands. Tables for people, `--json` for machines."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from releve.core.errors import BadInput, NotFound
from releve.core.formatting import format_score
from releve.core.names import SCENARIO_NAME
from releve.core.progress import waiting
from releve.core.settings import Settings
from releve.domain.evaluation.evaluation import headline
from releve.domain.gate.verdicts import nothing_serves, verdict
from releve.domain.registry.chain import ARCHIVED, CHALLENGED, WITHDRAWN, Event
from releve.domain.registry.lifecycle import ModelVersionStatus, model_version_statuses

if TYPE_CHECKING:
    from releve.adapters.registry.registry import Current, Registry

WIDTH_WITHOUT_TERMINAL = 120  # columns, in a log or a pipe


@dataclass(frozen=True)
class Command:
    """One line of the table: how it is described, asked and run."""

    help: str
    declare: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Settings], None]


def show_current(arguments: argparse.Namespace, settings: Settings) -> None:
    """Which release serves now."""
    with closing(_registry(settings)) as registry:
        _check_known(arguments.scenario, registry, settings)
        _show_release(registry.current(arguments.scenario), arguments, moment="now")


def show_at(arguments: argparse.Namespace, settings: Settings) -> None:
    """Which release served at a time."""
    when = _moment(arguments.time)
    with closing(_registry(settings)) as registry:
        _check_known(arguments.scenario, registry, settings)
        _show_release(registry.at(arguments.scenario, when), arguments, moment=f"at {when.isoformat()}")


def show_history(arguments: argparse.Namespace, settings: Settings) -> None:
    """What happened, oldest first."""
    with closing(_registry(settings)) as registry:
        if arguments.scenario is not None:
            _check_known(arguments.scenario, registry, settings)
        events = registry.events(arguments.scenario, kinds=arguments.kind)
    if arguments.json:
        _print_json([event.as_dict() for event in events])
    elif not events:
        print("no such events")
    else:
        _print_table(("scenario", "event", "at", "kind", "actor", "reason"), [_history_row(event) for event in events])


def show_models(arguments: argparse.Namespace, settings: Settings) -> None:
    """Every model version of a scenario that was ever judged, and its state."""
    with closing(_registry(settings)) as registry:
        _check_known(arguments.scenario, registry, settings)
        models = list_models(registry.events(arguments.scenario))
    if arguments.json:
        _print_json(models)
    elif not models:
        print(f"no model of {arguments.scenario!r} was judged yet")
    else:
        heads = ("model", "state", "metric", "score", "rows", "since", "reason")
        _print_table(heads, [_model_row(model) for model in models])


def list_models(events: Sequence[Event]) -> list[dict[str, Any]]:
    """A line per model version, in the order of their first challenges. Raises Conflict for a forbidden move."""
    challenges = {event.payload["model"]: event.payload for event in events if event.kind == CHALLENGED}
    return [
        {
            "model": model,
            "state": life.state,
            "metric": (known := headline(challenges[model]["evaluation"])).metric,
            "score": known.score.value,
            "rows": challenges[model]["rows"],
            "since": life.since,
            "reason": life.reason,
            "gate": life.gate,
        }
        for model, life in model_version_statuses(events).items()
    ]


def verify(arguments: argparse.Namespace, settings: Settings) -> None:
    """Whether the history is as it was written."""
    with closing(_registry(settings)) as registry:
        if arguments.scenario is not None:
            _check_known(arguments.scenario, registry, settings)
        checked = registry.verify(arguments.scenario)
    if arguments.json:
        _print_json({"events": checked})
    else:
        print(f"{checked} events checked: every hash holds, every release is where its last move put it")


def show_card(arguments: argparse.Namespace, settings: Settings) -> None:
    """The model card, as Markdown; `--html` writes it as a page instead."""
    from pathlib import Path

    from releve.adapters.files import write_bytes
    from releve.reporting.html import render_html
    from releve.reporting.markdown import render_markdown
    from tasks.reporting.cards import card_of, card_path

    card = card_of(settings, arguments.model)
    if arguments.html is not None:
        path = Path(arguments.html or card_path(settings, arguments.model, ".html")).resolve()
        write_bytes(path, render_html(card).encode())
        print(f"written to {path}; {card.missing} things are MISSING")
    else:
        print(render_markdown(card))


def up(arguments: argparse.Namespace, settings: Settings) -> None:
    """Start what does not run yet, and say where it is."""
    from releve.adapters.local_stack import stack as local_stack

    with waiting() as progress:
        started = local_stack.up(settings, progress=progress)
    print(f"started {', '.join(started)}" if started else "everything runs already")
    statuses = local_stack.status(settings)
    print(local_stack.describe(statuses))
    for scenario in filter(None, (each.scenario for each in statuses)):
        print(standing(scenario, settings))


def down(arguments: argparse.Namespace, settings: Settings) -> None:
    """Stop exactly what `up` started."""
    from releve.adapters.local_stack import stack as local_stack

    stopped = local_stack.down(settings)
    print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


def show_status(arguments: argparse.Namespace, settings: Settings) -> None:
    """How each part of the local stack is doing."""
    from releve.adapters.local_stack import stack as local_stack

    print(local_stack.describe(local_stack.status(settings)))


def _declare_nothing(parser: argparse.ArgumentParser) -> None:
    """For commands without arguments."""


def _declare_scenario(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario")
    _declare_json(parser)


def _declare_at(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario")
    parser.add_argument("time", help="ISO 8601, for example 2026-05-31T14:00:00+02:00; UTC when no zone is given")
    _declare_json(parser)


def _declare_history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", nargs="?", help="all of them when left out")
    parser.add_argument("--kind", action="append", help="only events of this kind; may be given more than once")
    _declare_json(parser)


def _declare_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", nargs="?", help="all of them when left out")
    _declare_json(parser)


def _declare_card(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="<scenario>:<version>, as `models` lists them")
    where = "write it as one HTML page instead; to var/cards/<scenario>/<version>.html where no FILE is named"
    parser.add_argument("--html", metavar="FILE", nargs="?", const="", help=where)


def _declare_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


COMMANDS: dict[str, Command] = {
    "current": Command("which release serves now", _declare_scenario, show_current),
    "history": Command("what happened, by whom and why, oldest first", _declare_history, show_history),
    "at": Command("which release served at a time", _declare_at, show_at),
    "models": Command("every model version that was judged, and its state", _declare_scenario, show_models),
    "card": Command("what a model version is for, made of and worth: its model card", _declare_card, show_card),
    "verify": Command("check that the history is as it was written", _declare_verify, verify),
    "up": Command("start Milvus, Prefect, its worker and the service on this machine", _declare_nothing, up),
    "down": Command("stop what `up` started", _declare_nothing, down),
    "status": Command("say what runs, and where", _declare_nothing, show_status),
}


def known_scenarios(registry: "Registry", settings: Settings) -> list[str]:
    """Those with a folder in the project or events in the registry, sorted."""
    folders = {path.name for path in (settings.project / "scenarios").glob("*/")}
    return sorted({name for name in folders if SCENARIO_NAME.fullmatch(name)} | set(registry.scenarios()))


def _registry(settings: Settings) -> "Registry":
    from releve.adapters.registry.registry import Registry

    return Registry(settings.registry_url)


def _check_known(scenario: str, registry: "Registry", settings: Settings) -> None:
    known = known_scenarios(registry, settings)
    if scenario not in known:
        advice = f"there are {', '.join(known)}" if known else "there are none yet: add a folder to scenarios/"
        raise NotFound(f"there is no scenario {scenario!r}; {advice}")


def _moment(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is not a time; expected ISO 8601, for example 2026-05-31T14:00:00+02:00") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _show_release(current: "Current | None", arguments: argparse.Namespace, *, moment: str) -> None:
    if arguments.json:
        _print_json(current.as_dict() if current else None)
    elif current is None:
        print(f"no release of {arguments.scenario!r} serves {moment}")
    else:
        rows = [*current.release.as_dict().items(), ("since", current.since), ("event", current.number)]
        _print_table((current.release.scenario, moment), [row for row in rows if row[0] != "scenario"])


def standing(scenario: str, settings: Settings) -> str:
    """Which model serves, or why none does and what to do."""
    with closing(_registry(settings)) as registry:
        if current := registry.current(scenario):
            return f"{current.release.model} serves {scenario}"
        return nothing_serves(scenario, registry.events(scenario, kinds=(CHALLENGED, ARCHIVED, WITHDRAWN)))


def _history_row(event: Event) -> tuple[object, ...]:
    at = _to_the_second(event.at)
    return event.scenario, event.number, at, event.kind, event.actor, _what_happened(event)


def _what_happened(event: Event) -> str:
    """The reason; of a challenge what became of it too, and every reason of the gate's."""
    if event.kind != CHALLENGED:
        return event.reason
    challenge = event.payload
    reasons = "\n".join(f"- {reason}" for reason in challenge["reasons"])
    return f"{challenge['model']} {verdict(challenge)}, started because: {event.reason}\n{reasons}"


def _model_row(model: dict[str, Any]) -> tuple[object, ...]:
    return (
        model["model"],
        model["state"],
        model["metric"],
        format_score(model["score"]),
        model["rows"],
        _to_the_second(model["since"]),
        ModelVersionStatus(model["state"], model["since"], model["reason"], model["gate"]).told,
    )


def _to_the_second(at: str) -> str:
    return at[:19] + "Z"


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Long text is wrapped, never cut, and never read as markup or as orders to the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads)
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*(Text(_printable(str(cell))) for cell in row))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL).print(table)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)
