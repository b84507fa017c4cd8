"""The files of the images, read line by line: no engine builds them here (docs/deploy.md says what does)."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.deploy.files import CONTAINERS, ROOT, copied, instructions, tracked

NAMES = [path.stem for path in CONTAINERS]
each_container = pytest.mark.parametrize("path", CONTAINERS, ids=NAMES)


def is_sent(name: str) -> bool:
    """Whether .dockerignore lets a file into the build: the last pattern that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.lstrip("!")
        if not line or line.startswith("#"):
            continue
        fits = (
            fnmatch(part.name, pattern.removeprefix("**/"))
            if pattern.startswith("**/")
            else len(part.parts) == len(Path(pattern).parts) and fnmatch(str(part), pattern)
            for part in (Path(name), *Path(name).parents)
        )
        if any(fits):
            sent = line.startswith("!")
    return sent


def test_there_is_an_image_of_the_service_and_one_of_the_worker() -> None:
    assert NAMES == ["service", "worker"]


@each_container
def test_an_image_is_built_in_stages_and_runs_as_nobody_in_particular(path: Path) -> None:
    found = instructions(path)

    assert [name for name, _ in found].count("FROM") == 2
    user = [rest for name, rest in found if name == "USER"]
    assert user == ["10001:10001"]
    assert found.index(("USER", "10001:10001")) > max(n for n, (name, _) in enumerate(found) if name in ("RUN", "COPY"))
    assert "HEALTHCHECK" in dict(found)


@each_container
def test_packages_are_installed_from_a_lock_with_their_hashes_and_from_no_named_index(path: Path) -> None:
    [install] = [rest for name, rest in instructions(path) if name == "RUN" and "pip install" in rest]

    lock = re.search(r"--requirement /tmp/(\S+)", install).group(1)
    assert lock in copied(path)
    assert "--require-hashes" in install and "--no-deps" in install
    assert "index" not in install


@each_container
def test_everything_that_is_copied_is_there_and_sent_to_the_build(path: Path) -> None:
    files = [str(name) for name in tracked()]

    for name in copied(path):
        below = [file for file in files if file == name or file.startswith(f"{name}/")]
        assert below, name
        assert [file for file in below if not is_sent(file)] == []


@pytest.mark.parametrize(
    "name", [".env", "var/registry.db", "scenarios/churn/params.yaml", ".git/config", "tests/x.py"]
)
def test_state_secrets_and_history_are_not_sent(name: str) -> None:
    assert not is_sent(name)


def test_the_service_has_all_that_it_imports_of_ours_and_nothing_that_trains() -> None:
    service = next(path for path in CONTAINERS if path.stem == "service")

    assert {"service.py", "releve", "params.yaml"} <= set(copied(service))
    assert not {"tasks", "flows"} & set(copied(service))
