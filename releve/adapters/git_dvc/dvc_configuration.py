"""DVC's configuration of this project's cache and remote, from `.dvc/config` and from params.yaml (`data`)."""

from pathlib import Path

from configobj import ConfigObj, ConfigObjError

from releve.core.errors import BadInput
from releve.core.params import Data

Configuration = dict[str, dict[str, str]]  # section -> key -> value, as .dvc/config writes them
PARAMS_REMOTE = "params"  # the name under which DVC knows the remote of params.yaml
PLACES = ("url", "dir")  # keys that may hold a path, which .dvc/config means relative to .dvc


def configuration(project: Path, remote: Data | None = None) -> Configuration:
    """Merge the project's shared and local settings, every path absolute, so that they hold from anywhere.

    `remote` with a place replaces the default remote. Every remote is verified: a file whose hash is not its name is
    refused instead of taken into the cache.
    """
    merged: Configuration = {"core": {}, "cache": {"dir": "cache", "type": "hardlink,symlink,copy"}}
    for path in (project / ".dvc" / "config", project / ".dvc" / "config.local"):
        for section, values in _read(path).items():
            merged[section] = merged.get(section, {}) | values
    if remote is not None and remote.remote:
        # A folder is meant from the project's root, as every other path in params.yaml.
        place = remote.remote if "://" in remote.remote else str((project / remote.remote).resolve())
        merged["core"]["remote"] = PARAMS_REMOTE
        merged[_section(PARAMS_REMOTE)] = {"url": place} | ({"endpointurl": remote.endpoint} if remote.endpoint else {})
    for section, values in merged.items():
        paths = {key: values[key] for key in PLACES if values.get(key) and "://" not in values[key]}
        verified = {"verify": "true"} if _remote_name(section) else {}
        absolute = {key: str((project / ".dvc" / place).resolve()) for key, place in paths.items()}
        merged[section] = values | absolute | verified
    return merged


def as_nested(config: Configuration) -> dict[str, dict[str, object]]:
    """Convert to the form that DVC's Python interface takes: remotes by name below "remote", its own values as text."""
    nested: dict[str, dict[str, object]] = {"remote": {}}
    for section, values in config.items():
        if name := _remote_name(section):
            nested["remote"][name] = dict(values)
        elif section in ("core", "cache"):
            nested[section] = dict(values)
    return nested


def remote_folder(config: Configuration) -> Path | None:
    """Return where the default remote lies when it is a folder on this machine."""
    place = config.get(_section(config["core"].get("remote", "")), {}).get("url", "")
    return Path(place) if place and "://" not in place else None


def write_configuration(path: Path, config: Configuration) -> None:
    """Write it as a .dvc/config.local."""
    written = ConfigObj(interpolation=False, encoding="utf-8")
    written.merge(dict(config))
    with path.open("wb") as file:
        written.write(file)


def _read(path: Path) -> Configuration:
    """Read by the library that DVC uses: a `#`, a comma or a quote in a path is written in quotes."""
    if not path.is_file():
        return {}
    try:
        read = ConfigObj(str(path), interpolation=False, encoding="utf-8")
    except ConfigObjError as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
    return {
        section: {key: value if isinstance(value, str) else ",".join(value) for key, value in read[section].items()}
        for section in read.sections
    }


def _section(name: str) -> str:
    return f'remote "{name}"'


def _remote_name(section: str) -> str:
    start, end = 'remote "', '"'
    return section[len(start) : -len(end)] if section.startswith(start) and section.endswith(end) else ""
