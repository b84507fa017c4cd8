"""Which settings of params.yaml a table's size moves, and where to.

A share of the rows brought is what a setting should be, within limits that keep verdicts possible on a small table and
runs short on a large one: docs/decisions/0014-scaffold.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from releve.core.errors import BadInput


@dataclass(frozen=True)
class Sizing:
    """One setting: its share of the rows brought, its limits in rows, and why, for the comment."""

    section: str
    key: str
    share: float
    low: int
    high: int
    why: str


SIZINGS = (
    Sizing("split", "holdout_rows", 0.2, 300, 5000, "the newest fifth, at most: what a challenger is judged on"),
    Sizing("monitor", "window_rows", 0.1, 300, 5000, "newest answers that make one drift verdict"),
    Sizing("trigger", "min_new_rows", 0.05, 250, 5000, "labelled rows before a challenge is worth its time"),
    Sizing(
        "trigger", "max_new_rows", 0.2, 400, 20_000, "labelled rows that make a challenge due whatever the evidence"
    ),
)


@dataclass(frozen=True)
class Override:
    """A key of the scenario's params.yaml that differs from the root's."""

    section: str
    key: str
    value: Any
    why: str


def overrides_for(rows: int, *, base: Mapping[str, Any], said: Sequence[Override] = ()) -> list[Override]:
    """What differs from `base`, the root params.yaml, for a table of so many rows, beside what a person said."""
    known = {(each.section, each.key) for each in said}
    sized = [Override(each.section, each.key, _sized(each, rows), each.why) for each in SIZINGS]
    wanted = [override for override in sized if (override.section, override.key) not in known]
    return [override for override in wanted if base[override.section][override.key] != override.value]


def _sized(sizing: Sizing, rows: int) -> int:
    return _round(min(max(rows * sizing.share, sizing.low), sizing.high))


def _round(rows: float) -> int:
    """Two significant digits: nobody means 3,476."""
    return int(float(f"{rows:.2g}"))


def as_sections(overrides: Sequence[Override]) -> dict[str, dict[str, Any]]:
    """The overrides as params.yaml holds them."""
    sections: dict[str, dict[str, Any]] = {}
    for each in overrides:
        sections.setdefault(each.section, {})[each.key] = each.value
    return sections


def joined(overrides: Sequence[Override]) -> tuple[Override, ...]:
    """Each key once: of several values the last, and of mappings (ingest.dates, ingest.units) all of them."""
    found: dict[tuple[str, str], Override] = {}
    for each in overrides:
        known = found.get((each.section, each.key))
        both = known is not None and isinstance(known.value, Mapping) and isinstance(each.value, Mapping)
        found[each.section, each.key] = replace(each, value={**known.value, **each.value}) if known and both else each
    return tuple(found.values())


def read_override(text: str) -> Override:
    """`section.key=value`, the value as YAML would read it. Raises BadInput for anything else."""
    name, equals, value = text.partition("=")
    section, dot, key = name.partition(".")
    if not (equals and dot and section and key):
        raise BadInput(
            f"the setting {text!r} is no setting; expected section.key=value, as in ingest.csv_encoding=cp1252"
        )
    return Override(section, key, _value(value), "as you said")


def _value(text: str) -> Any:
    """A lone comma or dot is meant as it stands, and so is what YAML cannot read."""
    try:
        return text if text.strip(",.;'| ") == "" else yaml.safe_load(text)
    except yaml.YAMLError:
        return text
