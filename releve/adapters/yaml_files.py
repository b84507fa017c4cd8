"""YAML files of people changed in place: comments, order and layout stay as they are."""

import io
import re
from collections.abc import Mapping
from typing import Any

import yaml

from releve.core.errors import BadInput
from releve.core.yaml_text import KeyLoader, load_mapping

SEED_STAGE = "seed"
WIDE = 10_000  # characters; shorter, and YAML breaks lines


def with_settings(text: str, settings: Mapping[str, Any], *, source: str) -> str:
    """Set each "section.key" of `settings` in `text`, a params.yaml; nothing else in it changes.

    Raises BadInput where `text` is no mapping of sections in YAML, or cannot be written again with the same values.
    """
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError

    try:
        expected = yaml.load(text, KeyLoader) or {}
        indent = re.search(r"^( +)[^ #]", text, re.MULTILINE)
        writer = _round_trip(len(indent[1]) if indent else 2)
        document = writer.load(text) or CommentedMap()
        added: dict[str, dict[str, Any]] = {}  # sections that are not there; they go to the end
        for key, value in settings.items():
            section, _, name = key.partition(".")
            expected[section] = (expected.get(section) or {}) | {name: value}
            value = _scalar(value)
            if section not in document:
                added.setdefault(section, {})[name] = value
                continue
            if document[section] is None:
                document[section] = CommentedMap()
            if name in document[section]:
                document[section][name] = value
            else:
                document[section].insert(0, name, value)
        changed = _dump(writer, document) if document else text
    except (yaml.YAMLError, YAMLError, AttributeError, TypeError) as error:
        raise BadInput(f"{source} is not valid YAML of sections with keys: {' '.join(str(error).split())}") from None
    for section, values in added.items():
        changed = f"{changed.rstrip(chr(10))}\n\n{_dump(writer, {section: values})}".lstrip("\n")
    if yaml.load(changed, KeyLoader) != expected:
        raise BadInput(f"{source} cannot be changed without changing more than {', '.join(settings)}")
    return changed


def pipeline_text(template: str, *, scenario: str) -> str:
    """Copy `template`, the dvc.yaml of any scenario, for `scenario`, without the stage that makes the bundled rows.

    DVC has no includes, so each scenario holds a copy. Raises BadInput when the template names no scenario.
    """
    load_mapping(template, source="the dvc.yaml to copy")
    writer = _round_trip()
    pipeline = writer.load(template)
    named = [each for each in pipeline.get("vars") or [] if isinstance(each, dict) and "scenario" in each]
    if len(named) != 1 or "stages" not in pipeline:
        raise BadInput(
            "the dvc.yaml to copy has no 'stages', or no line '- scenario: <name>' below 'vars'; restore it from git"
        )
    named[0]["scenario"] = scenario
    pipeline["stages"].pop(SEED_STAGE, None)
    return _dump(writer, pipeline)


def _scalar(value: Any) -> Any:
    """Quote a text that the YAML 1.1 of PyYAML would read as something else, such as "no"."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    return DoubleQuotedScalarString(value) if isinstance(value, str) and yaml.safe_load(value) != value else value


def _round_trip(indent: int = 2) -> Any:
    from ruamel.yaml import YAML

    writer = YAML()
    writer.preserve_quotes = True
    writer.width = WIDE
    writer.indent(mapping=indent, sequence=indent + 2, offset=indent)
    return writer


def _dump(writer: Any, document: Any) -> str:
    text = io.StringIO()
    writer.dump(document, text)
    return text.getvalue()
