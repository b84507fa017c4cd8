"""Keys of a params.yaml set in its text, so that every comment and every other line stays as a person wrote it."""

import json
import re
from collections.abc import Mapping
from typing import Any

from releve.core.errors import BadInput

KEY = re.compile(r"^(?P<indent> +)(?P<name>[\w-]+):(?P<gap> *)(?P<value>[^#\n]*?)(?P<comment> +#.*)?$")


def with_settings(text: str, settings: Mapping[str, Any], *, source: str) -> str:
    """`text` with each "section.key" of `settings` set to its value.

    Raises BadInput for a section that is written in one line, as `trigger: {policy: auto}`.
    """
    lines = text.splitlines()
    for key, value in settings.items():
        section, _, name = key.partition(".")
        lines = _with_key(lines, section, name, _written(value), source=source)
    return "\n".join(lines) + "\n"


def _with_key(lines: list[str], section: str, name: str, value: str, *, source: str) -> list[str]:
    start = _section(lines, section, source=source)
    if start is None:
        return [*lines, *([""] if lines and lines[-1] else []), f"{section}:", f"  {name}: {value}"]
    indent = "  "
    for place in range(start + 1, len(lines)):
        line = lines[place]
        if line.strip() and not line.startswith((" ", "#")):
            break
        found = KEY.match(line)
        indent = found["indent"] if found else indent
        if found and found["name"] == name:
            _check_one_line(found["value"], f"{section}.{name}", source)
            return [*lines[:place], f"{indent}{name}: {value}{found['comment'] or ''}", *lines[place + 1 :]]
    return [*lines[: start + 1], f"{indent}{name}: {value}", *lines[start + 1 :]]


def _section(lines: list[str], section: str, *, source: str) -> int | None:
    for place, line in enumerate(lines):
        if line.startswith(f"{section}:"):
            rest = line.removeprefix(f"{section}:").strip()
            if rest and not rest.startswith("#"):
                raise BadInput(
                    f"{source} has '{section}' in one line, and keys are only set in a block; write it as\n"
                    f"{section}:\n  key: value"
                )
            return place
    return None


def _check_one_line(value: str, key: str, source: str) -> None:
    if not value.strip() or value.strip() in ("|", ">"):
        raise BadInput(f"{source} has '{key}' over several lines; set it there by hand")


def _written(value: Any) -> str:
    """Words that YAML reads as words are left without quotes."""
    return value if isinstance(value, str) and re.fullmatch(r"[a-z][a-z_]+", value) else json.dumps(value)
