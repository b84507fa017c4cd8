"""What an experiment was made of, by whom, and how its settings differ from another model's."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any, Literal

from pydantic import JsonValue

from releve.core.documents import DocumentPart
from releve.core.errors import BadInput
from releve.core.formatting import listed
from releve.core.params import Params
from releve.domain.schema.schema import Schema

# Sections of params.yaml that a stage of the pipeline reads; another one would change no experiment.
SECTIONS = ("train", "search", "statistics", "gate", "neighbours", "decision")
JUDGED_BY = ("gate", "statistics", "decision")  # of these, what every model is judged by alike
DIGITS = 8  # of the digest in a name
LONGEST = 54  # characters of the scenario's name in it: all of it has at most 63


class ExperimentRecord(DocumentPart):
    """results/<scenario>/experiment.json of the commit that DVC keeps an experiment as."""

    format: Literal[1] = 1
    scenario: str
    settings: dict[str, JsonValue]  # "section.key" -> value, where it departs from what is committed
    head: str  # the commit of the user's that code, table and all other settings come from
    data_version: str
    rows: int  # all labelled rows of it
    champion: str  # that it was compared with; "" where none served
    search: bool  # whether other recipes were tried, too
    brought: tuple[str, ...] = ()  # members that others fitted
    model_digest: str
    by: str
    at: str  # ISO 8601, UTC
    cpu_seconds: float

    @property
    def described(self) -> str:
        """What was set, in a line."""
        return describe_changes(self.settings)

    @property
    def command(self) -> str:
        """What makes the same again."""
        asked = [f"--set {quote(f'{key}={as_set(value)}')}" for key, value in self.settings.items()]
        return " ".join(["releve experiment", self.scenario, *asked, *(["--search"] if self.search else [])])


def as_set(value: Any) -> str:
    """Write a value as `--set` takes it."""
    if isinstance(value, list | tuple) and len(value) == 1:  # a list of recipes may be the name of one
        return as_set(value[0])
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def describe_changes(settings: Mapping[str, Any]) -> str:
    """Write in a line what departs from what is committed."""
    return " ".join(f"{key}={as_set(value)}" for key, value in settings.items()) or "the settings that are committed"


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise BadInput for a setting that no stage of the pipeline reads."""
    for key in settings:
        if key.partition(".")[0] not in SECTIONS:
            raise BadInput(
                f"an experiment cannot set {key}: the pipeline does not read it; what it reads are the sections "
                f"{', '.join(SECTIONS)} of params.yaml. What describes the table is edited and committed"
            )


def name_experiment(scenario: str, *made_from: object) -> str:
    """Return the same name for the same things: to try them again finds the experiment that is there."""
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True, default=str).encode()).hexdigest()
    return f"{scenario[:LONGEST]}-{digest[:DIGITS]}"


def differing(mine: Params, others: Params) -> dict[str, tuple[Any, Any]]:
    """Return "section.key" -> both values, of settings that the pipeline reads and that differ; `mine` first."""
    ours, theirs = (one.model_dump(mode="json") for one in (mine, others))
    return {
        f"{section}.{key}": (value, theirs[section].get(key))
        for section in SECTIONS
        for key, value in ours[section].items()
        if value != theirs[section].get(key)
    }


def differing_table(mine: Schema, others: Schema) -> list[str]:
    """Name what of two tables' descriptions differs: "target", or "columns.price"."""
    ours, theirs = (one.as_dict() for one in (mine, others))
    mine_columns, their_columns = ours.pop("columns"), theirs.pop("columns")
    keys = [key for key in dict.fromkeys((*ours, *theirs)) if ours.get(key) != theirs.get(key)]
    names = dict.fromkeys((*mine_columns, *their_columns))
    return keys + [f"columns.{name}" for name in names if mine_columns.get(name) != their_columns.get(name)]


@dataclass(frozen=True)
class GateToday:
    """What the gate would judge an experiment beside, and by, today."""

    champion: str  # "" where none serves
    data_version: str
    params: Params
    schema: Schema
    brought: tuple[str, ...] = ()  # that the next refresh has as members


def why_outdated(record: ExperimentRecord, params: Params, schema: Schema, today: GateToday) -> str:
    """Say why the gate would judge something else today; "" where it would judge the very same.

    `params`, `schema`: those that the experiment was made with.
    """
    if today.champion != record.champion:
        return f"it was compared with {record.champion or 'nothing'}, and {today.champion or 'nothing'} serves now"
    if today.data_version != record.data_version:
        return "newer rows have come since, which it has not learned"
    if today.brought != record.brought:
        return "a model was brought since, which it does not have as a member"
    if changed := listed(differing_table(schema, today.schema)):
        return f"it was made of a table that is described otherwise than is committed: {changed}"
    others = [key for key in differing(params, today.params) if key.partition(".")[0] in JUDGED_BY]
    return f"it was judged by another {', '.join(others)} than is committed" if others else ""
