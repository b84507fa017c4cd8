"""How a message names a setting: in the scenario's params.yaml, or on `make scenario`, while there is none yet."""

import json
from collections.abc import Callable, Mapping

ConfigHint = Callable[[str, object], str]  # a key and a value that it may have, as a part of a sentence


def params_hint(key: str, example: object) -> str:
    """Name a setting of a scenario that is there."""
    return f"{key} in the scenario's params.yaml (for instance {example})"


def command_hint(key: str, example: object) -> str:
    """Name a setting of `make scenario`."""
    return f"SET={key}={example}"


def settings_hint(settings: Mapping[str, object]) -> str:
    """Write SET='...' as it can be typed into a shell, with a quote and unusual spaces as escapes of JSON."""

    def typed(value: object) -> str:
        if isinstance(value, str) and value.strip(",.;|") == "":
            return value
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))  # which is YAML too
        return "".join(f"\\u{ord(letter):04x}" if letter in "'\u00a0\u202f" else letter for letter in text)

    return f"SET='{' '.join(f'{key}={typed(value)}' for key, value in settings.items())}'"
