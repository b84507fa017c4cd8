"""A new scenario's params.yaml: the settings that its size moves, those that a person gave, and the text of the file.

A share of the rows brought is what a setting should be, within limits that keep verdicts possible on a small table and
runs short on a large one: docs/decisions/0014-scaffold.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from releve.core.errors import BadInput
from releve.core.params import Params, merge, parse
from releve.domain.features.proposal import FeatureProposal
from releve.domain.onboarding.issues import Issue

COMMENT_AT = 44  # characters before a comment, where the line is not longer
WIDE = 10_000  # characters; PyYAML would break lines
TARGET = "what is predicted"
ROLES = {"time": "the column that orders the rows", "id": "the column that names a row"}
COLUMNS = "one line each; docs/bring_a_table.md explains every key"


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
    Sizing("monitor", "window_rows", 0.1, 300, 5000, "newest answers that make one drift verdict"),
    Sizing("trigger", "min_new_rows", 0.01, 90, 5000, "labelled rows before a refresh is worth its time"),
)


@dataclass(frozen=True)
class SettingOverride:
    """A key of the scenario's params.yaml that differs from the root's."""

    section: str
    key: str
    value: Any
    why: str


@dataclass(frozen=True)
class ScenarioDraft:
    """What was inferred. `table` is what `Schema.from_dict` reads; `seen` has a comment per column."""

    table: Mapping[str, Any]
    seen: Mapping[str, str]
    overrides: Sequence[SettingOverride]
    summary: Sequence[str]
    issues: Sequence[Issue]
    proposals: Sequence[FeatureProposal] = ()  # those that are chosen are in `table`, too


def overrides_for(rows: int, *, base: Params, given: Sequence[SettingOverride] = ()) -> list[SettingOverride]:
    """Return what should differ from `base` for a table of so many rows, beside what a person has `given`."""
    known = {(each.section, each.key) for each in given}
    overrides = []
    for each in SIZINGS:
        size = min(max(rows * each.share, each.low), each.high)
        value = int(float(f"{size:.2g}"))  # nobody means 3,476
        if (each.section, each.key) not in known and getattr(getattr(base, each.section), each.key) != value:
            overrides.append(SettingOverride(each.section, each.key, value, each.why))
    return overrides


def with_overrides(base: Params, overrides: Sequence[SettingOverride], *, source: str) -> Params:
    """Return `base` with the overrides. Raises BadInput naming the key that is wrong."""
    sections: dict[str, Any] = {}
    for each in overrides:
        sections.setdefault(each.section, {})[each.key] = each.value
    return parse(merge(base.model_dump(), sections), source=source)


def joined(overrides: Sequence[SettingOverride], *, base: Params) -> tuple[SettingOverride, ...]:
    """Keep each key once: of several values the last, of mappings (ingest.dates, ingest.units) all of them, and of
    lists (ingest.missing) what each adds to that of `base`, and takes away."""

    def together(key: tuple[str, str], first: Any, second: Any) -> Any:
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            return {**first, **second}
        if isinstance(first, list) and isinstance(second, list):
            usual = list(getattr(getattr(base, key[0], None), key[1], ()))
            left = [each for each in usual if each in first and each in second]
            return [*left, *(each for each in dict.fromkeys([*first, *second]) if each not in usual)]
        return second

    kept: dict[tuple[str, str], SettingOverride] = {}
    for each in overrides:
        key = (each.section, each.key)
        kept[key] = replace(each, value=together(key, kept[key].value, each.value)) if key in kept else each
    return tuple(kept.values())


def read_override(text: str) -> SettingOverride:
    """Read `section.key=value`, the value as YAML. Raises BadInput for anything else.

    A lone comma or dot is meant as it stands, and so is what YAML cannot read.
    """
    name, equals, value = text.partition("=")
    section, dot, key = name.partition(".")
    if not (equals and dot and section and key):
        raise BadInput(f"there is no setting {text!r}; expected section.key=value, as in ingest.csv_encoding=cp1252")
    try:
        meant = value if value.strip(",.;'| ") == "" else yaml.safe_load(value)
    except yaml.YAMLError:
        meant = value
    return SettingOverride(section, key, meant, "as you set it")


def params_text(draft: ScenarioDraft, *, scenario: str) -> str:
    """Write the whole file, with a comment beside everything that a person may want to change.

    `yaml.safe_load` of it is `draft.table` and the overrides.
    """
    table = draft.table
    head = [
        f"# {scenario}: written by `make scenario` from what it saw, for you to correct.",
        "# Beside the table, anything of the root params.yaml can be overridden here.",
        "#",
        *(f"# {line}" for line in draft.summary),
    ]
    target = _line("target", table["target"], draft.seen.get(table["target"]["name"], TARGET))
    roles = [_line(key, table[key], ROLES[key]) for key in ROLES if key in table]
    for proposal in draft.proposals:
        column = COMMENT_AT if proposal.chosen else COMMENT_AT - 2
        line = _line("features", proposal.spec, proposal.worth, column=column)
        roles.append(line if proposal.chosen else f"# {line}")
    columns = [_line(name, spec, draft.seen[name], indent="  ") for name, spec in table["columns"].items()]
    sections: dict[str, list[str]] = {}
    for each in draft.overrides:
        lines = sections.setdefault(each.section, [f"{each.section}:"])
        lines.append(_line(each.key, each.value, each.why, indent="  "))
    blocks = [
        [*map(_one_line, head), "", target, *roles],
        ["columns:" + " " * (COMMENT_AT - len("columns:")) + f"# {COLUMNS}", *columns],
        *sections.values(),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _line(key: str, value: Any, comment: str, *, indent: str = "", column: int = COMMENT_AT) -> str:
    """Write `key: value   # comment` in one line; PyYAML adds quotes where YAML would read another word."""

    def flow(content: Any) -> str:
        text = yaml.safe_dump(content, default_flow_style=True, sort_keys=False, allow_unicode=True, width=WIDE)
        return text.removesuffix("...\n").strip()

    # The flow form of a mapping knows when a key needs quotes.
    line = f"{indent}{flow({key: 0})[1:-1].rpartition(': ')[0].removeprefix('? ')}: {flow(value)}"
    return f"{line:<{column - 1}} # {_one_line(comment)}"


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
