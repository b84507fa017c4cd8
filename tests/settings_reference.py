"""docs/settings.md, written from the comments of params.yaml and the models that check it.

`python -m tests.settings_reference` writes the page; tests/core/test_params.py holds the committed one against it.
"""

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from releve.core.params import Params

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "settings.md"
WIDTH = 120
HEAD = """\
# All settings

Written from `params.yaml` and the models that check it (`python -m tests.settings_reference`); do not edit it by hand.

A scenario sets in its own `scenarios/<name>/params.yaml` only what differs from `params.yaml`; `make scenario ... SET=`
writes settings of a new one. A run uses what is committed. A key that does not exist is refused, with the one that was
meant. What differs between machines is an environment variable instead: [operate.md](operate.md).
"""
PART_ONE = "What you will want to set"
PART_TWO = "The rest"


@dataclass
class Setting:
    """A key of params.yaml with its comments: what it means, and when to set it."""

    key: str
    default: str
    meaning: list[str]
    when: str


@dataclass
class SettingsSection:
    """A section with its comment."""

    name: str
    meaning: str
    settings: list[Setting] = field(default_factory=list)


def page() -> str:
    """The whole page."""
    first, second = (ROOT / "params.yaml").read_text().split("# Part two")
    parts = [HEAD, *_part(PART_ONE, first), *_part(PART_TWO, second)]
    return "\n".join(parts)


def _part(title: str, text: str) -> list[str]:
    lines = [f"## {title}", ""]
    for section in sections(text):
        lines += [f"### {section.name}", ""]
        lines += [*_wrapped(f"{section.meaning[:1].upper()}{section.meaning[1:]}.", ""), ""] if section.meaning else []
        for setting in section.settings:
            lines += _described(section.name, setting)
        lines.append("")
    return lines


def _described(section: str, setting: Setting) -> list[str]:
    allowed = _allowed(section, setting.key)
    default = f"default `{setting.default}`" + (f"; {allowed}" if allowed else "")
    when = f" *{setting.when}*" if setting.when else ""
    meaning = " ".join(setting.meaning)
    return _wrapped(f"- **`{setting.key}`** ({default}): {meaning}.{when}", "  ")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def sections(text: str) -> list[SettingsSection]:
    """The sections of a part of params.yaml, with the comments of their keys."""
    found: list[SettingsSection] = []
    when = ""
    for line in text.splitlines():
        if match := re.fullmatch(r"(\w+):(?: +# (.*))?", line):
            found.append(SettingsSection(match[1], match[2] or ""))
        elif match := re.fullmatch(r"  # (.*)", line):
            when = match[1] if match[1].endswith(".") else ""
        elif match := re.match(r'  "?(\w+)"?:(.*?)  +# (.*)', line):
            value = yaml.safe_load((ROOT / "params.yaml").read_text())[found[-1].name][match[1]]
            default = match[2].strip() or ", ".join(value)
            found[-1].settings.append(Setting(match[1], default, [match[3]], when))
            when = ""
        elif match := re.fullmatch(r" {20,}# (.*)", line):
            found[-1].settings[-1].meaning.append(match[1])
    return found


def _allowed(section: str, key: str) -> str:
    """What the model allows of a number: its limits; "" where the comment says all."""
    model = Params.model_fields[section].annotation
    schema: Any = model.model_json_schema()["properties"][key]  # type: ignore[union-attr]
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    limits = [f"{word} {schema[name]:.10g}" for name, word in words.items() if name in schema]
    return ", ".join(limits)


if __name__ == "__main__":
    PAGE.write_text(page())
