"""Which files of a home a backup has: what cannot be made again."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tasks.places import ScenarioState

# The rest is made again (vectors, worktrees, fetched days), is another's (Prefect's runs) or belongs to processes.
STORE = tuple(f"bentoml/{name}" for name in ("models", "left", "bentos", "sources"))  # BentoML has more, of processes
SHARED = ("archive", "cards", "pages", *STORE, "ledger-key")
FETCHED = "fetched"  # copies of what the remote has
BESIDE = re.compile(r"\..+\.tmp")  # what is written and has not got its name yet


def kept_places(home: Path) -> list[Path]:
    """List the files and folders of a home that a backup has, there or not."""
    of_scenarios = [folder.parent for folder in ScenarioState(home, "any").folders]
    places = dict.fromkeys([*of_scenarios, *(home / name for name in SHARED)])
    return [place for place in places if place.name != FETCHED]


def kept_files(home: Path) -> Iterator[tuple[str, Path]]:
    """List every file of them, with its path below the home. Links are followed; what is half written is left out."""
    for place in kept_places(home):
        if place.is_file():
            yield place.name, place
        for folder, folders, names in os.walk(place, followlinks=True):
            folders.sort()
            for path in (Path(folder) / name for name in sorted(names)):
                if path.is_file() and not BESIDE.fullmatch(path.name):
                    yield path.relative_to(home).as_posix(), path
