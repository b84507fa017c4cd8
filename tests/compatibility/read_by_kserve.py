"""Run by an environment that has kserve: reads an InferenceService and prints the keys that its classes do not know."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import kserve
import yaml
from kubernetes import client


def unknown(value: Any, kind: str, place: str) -> Iterator[str]:
    """Walk a value beside the class that it becomes; a type that is no class of either library takes anything."""
    if inner := re.fullmatch(r"list\[(.*)\]", kind):
        for number, each in enumerate(value):
            yield from unknown(each, inner[1], f"{place}.{number}")
        return
    model = getattr(kserve, kind, None) or getattr(client, kind, None)
    if model is None or not isinstance(value, dict):
        return
    names = {key: name for name, key in model.attribute_map.items()}
    for key, each in sorted(value.items()):
        if key in names:
            yield from unknown(each, model.openapi_types[names[key]], f"{place}.{key}")
        else:
            yield f"{place}.{key}"


found = yaml.safe_load(sys.stdin)
print(json.dumps([each.lstrip(".") for each in unknown(found, "V1beta1InferenceService", "")]))
