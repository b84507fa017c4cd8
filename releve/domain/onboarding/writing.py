"""A scenario's params.yaml, with a comment beside everything that a person may want to change."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from releve.domain.onboarding.settings import Override
from releve.domain.onboarding.table import Described

COMMENT_AT = 44  # characters before a comment, where the line is not longer
WIDE = 10_000  # characters; PyYAML would break lines


def params_text(described: Described, *, scenario: str) -> str:
    """The whole file; `yaml.safe_load` of it is `described.table` and its overrides."""
    table = described.table
    roles = [_line({key: table[key]}, ROLES[key]) for key in ROLES if key in table]
    columns = [_line({name: spec}, described.seen[name], indent="  ") for name, spec in table["columns"].items()]
    blocks = [
        [
            *_head(scenario, described),
            "",
            _line({"target": table["target"]}, described.seen.get(table["target"]["name"], TARGET)),
            *roles,
        ],
        ["columns:" + " " * (COMMENT_AT - len("columns:")) + f"# {COLUMNS}", *columns],
        *_sections(described.overrides),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


TARGET = "what is predicted"
ROLES = {"time": "the column that orders the rows", "id": "the column that names a row"}
COLUMNS = "one line each; docs/bring_a_table.md explains every key"


def _head(scenario: str, described: Described) -> list[str]:
    lines = [
        f"# {scenario}: written by `make scenario` from what it saw, for you to correct.",
        "# Beside the table, anything of the root params.yaml can be overridden here.",
        "#",
        *(f"# {line}" for line in described.summary),
    ]
    return [_one_line(line) for line in lines]


def _sections(overrides: Sequence[Override]) -> list[list[str]]:
    sections = dict.fromkeys(override.section for override in overrides)
    return [
        [
            f"{section}:",
            *(_line({each.key: each.value}, each.why, indent="  ") for each in overrides if each.section == section),
        ]
        for section in sections
    ]


def _line(value: Mapping[str, Any], comment: str, *, indent: str = "") -> str:
    """`key: value   # comment`, the value in one line; PyYAML puts quotes where YAML would read a word as another."""
    ((key, content),) = value.items()
    line = f"{indent}{_scalar(key)}: {_flow(content)}"
    return f"{line:<{COMMENT_AT - 1}} # {_one_line(comment)}"


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=WIDE)
    return text.removesuffix("...\n").strip()


def _scalar(key: str) -> str:
    """A key as it stands in a block: the flow form of a mapping knows when it needs quotes."""
    return _flow({key: 0})[1:-1].rpartition(": ")[0].removeprefix("? ")


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
