"""YAML as every file of this project is read: safe, in UTF-8, and with no key lost."""

from typing import Any

import yaml

from releve.core.errors import BadInput
from releve.core.formatting import shortened

BOOLEAN, TEXT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:str"

DEEPEST = 100


def load_yaml(text: str | bytes, *, source: str) -> Any:
    """Read one document. Raises BadInput naming `source`, and the key and both lines where a key is given twice."""
    try:
        return yaml.load(text.decode() if isinstance(text, bytes) else text, KeyLoader)
    except UnicodeDecodeError as error:
        raise BadInput(f"{source} is not UTF-8 text (byte {error.start + 1}); save it as UTF-8") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2024-13-01
        raise BadInput(f"{source} is not valid YAML: {error}") from None


def load_mapping(text: str | bytes, *, source: str) -> dict[str, Any]:
    """Read a document of keys and values. Raises BadInput for anything else."""
    values = load_yaml(text, source=source)
    if not isinstance(values, dict):
        kind = "nothing" if values is None else "a list" if isinstance(values, list) else f"only {values!r}"
        raise BadInput(f"{source} holds {shortened(kind)}; expected keys and values, such as gate: {{margin: 0.1}}")
    return values


class KeyLoader(yaml.CSafeLoader):
    """Reads keys as they are written: `on`, `no` and their like are texts, as in YAML 1.2, which DVC reads.

    It refuses a key that a mapping has twice, of which YAML keeps the last alone.
    """

    def __init__(self, stream: str) -> None:
        depth = 0
        for event in yaml.parse(
            stream, yaml.CSafeLoader
        ):  # the parser in C is fast, and ends the process when too deep
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise yaml.YAMLError(f"it is nested deeper than {DEEPEST} levels")
        super().__init__(stream)

    def get_single_node(self) -> yaml.Node | None:
        root: yaml.Node | None = super().get_single_node()
        waiting, seen = [root], set[int]()
        while waiting:
            node = waiting.pop(0)
            if isinstance(node, yaml.CollectionNode) and id(node) not in seen:  # an anchor's node is there twice
                seen.add(id(node))
                if isinstance(node, yaml.MappingNode):
                    _check_keys(node)
                waiting[:0] = [part for each in node.value for part in (each if isinstance(each, tuple) else (each,))]
        return root


def _check_keys(node: yaml.MappingNode) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
        if key.tag == BOOLEAN and key.value.lower() not in ("true", "false"):
            key.tag = TEXT
        line = key.start_mark.line + 1
        if first := lines.get((key.tag, key.value)):
            raise yaml.YAMLError(
                f"the key '{shortened(key.value)}' is given twice, in line {first} and in line {line}; keep one of them"
            )
        lines[key.tag, key.value] = line
