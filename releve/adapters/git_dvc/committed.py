"""Params and schema of a run, as one commit of the project has them, whatever the working tree holds.

Retraining builds what is committed, so rows are judged, and everything else is decided, by the same files.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from releve.adapters.files import parse_base, parse_scenario, read_scenario
from releve.adapters.git_dvc.scenario_branch import NO_COMMIT, git, git_objects, not_committed
from releve.adapters.restore_marker import check_whole
from releve.core.errors import BadInput, ReleveError
from releve.core.names import check_scenario_name
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.schema.schema import Schema

BASE = "params.yaml"


class NotCommitted(BadInput):
    """No commit has the files of a scenario, which may be made just now."""

    code = "not_committed"


@dataclass(frozen=True)
class Committed:
    """Params and schema of one commit; `unused` are those of its files that differ in the working tree."""

    revision: str
    params: Params
    schema: Schema
    unused: tuple[str, ...]

    @property
    def first_line(self) -> str:
        """The first line of a run's output."""
        line = f"params and schema of commit {self.revision[:12]}"
        return f"{line}; {_not_used(self.unused)}" if self.unused else line


def read_committed(settings: Settings, scenario: str) -> Committed:
    """Read what `settings.revision` has, or HEAD where none is named; an environment may ask for more approval.

    Raise NotFound for an unknown scenario, BadInput naming what is not committed or the key that is wrong.
    """
    scenario = check_scenario_name(scenario)
    read = _read_commit if settings.revision else _read  # a commit never changes
    found = read(settings.project, scenario, settings.revision or "HEAD")
    release = found.params.release.at_least(settings.approval)
    return replace(found, params=found.params.model_copy(update={"release": release}))


def begin_run(settings: Settings, scenario: str, *, tell: Callable[[str], None]) -> Settings:
    """Fix the settings of a run to what is committed now, even if more is committed meanwhile; `tell` gets its line.

    Raise HalfRestored in a home whose restore was not finished, and what `read_committed` raises.
    """
    check_whole(settings.home)
    committed = read_committed(settings, scenario)
    tell(committed.first_line)
    return replace(settings, revision=committed.revision)


def read_committed_base(settings: Settings) -> Params:
    """Read params.yaml of the same commit, without any scenario's overrides."""
    return parse_base(_texts(settings.project, settings.revision or "HEAD", [BASE])[1][BASE])


def read_committed_settings(
    settings: Settings, scenarios: Sequence[str], *, keys: Collection[str] | None = None
) -> Iterator[tuple[str, Params | ReleveError]]:
    """Read the params of many scenarios, all of them or for the sake of a few keys: one call of git for all.

    `keys`: a scenario's own file is parsed only where one of them stands in it, and is not checked otherwise. What is
    wrong with one, or not committed, is an error in its place. Raise BadInput for what is wrong with params.yaml.
    """
    own = [f"scenarios/{check_scenario_name(name)}/params.yaml" for name in scenarios]
    revision = settings.revision or "HEAD"
    base, *texts = git_objects(settings.project, [f"{revision}:./{name}" for name in (BASE, *own)])
    if base is None:
        raise BadInput(not_committed([BASE]))
    base_text = base.text.replace("\r\n", "\n")
    params = parse_base(base_text)
    for scenario, name, text in zip(scenarios, own, texts, strict=True):
        if text is None:
            yield scenario, NotCommitted(not_committed([name]))
        elif keys is not None and not any(key in text.text for key in keys):
            yield scenario, params
        else:
            try:
                yield scenario, parse_scenario(scenario, base=base_text, own=text.text)[0]
            except ReleveError as error:
                yield scenario, error


def head_of(settings: Settings) -> str:
    """The commit that runs go by now; "" where there is none."""
    return git(settings.project, "rev-parse", "--verify", "--quiet", "HEAD", check=False)


def _read(project: Path, scenario: str, revision: str) -> Committed:
    own = f"scenarios/{scenario}/params.yaml"
    try:
        commit, texts = _texts(project, revision, [BASE, own])
    except BadInput:
        read_scenario(project, scenario)  # which may be unknown altogether
        raise
    in_tree = {  # with the line ends that git keeps
        name: path.read_text(encoding="utf-8", errors="replace") if (path := project / name).is_file() else None
        for name in texts
    }
    unused = tuple(name for name, text in texts.items() if in_tree[name] != text)
    try:
        params, schema = parse_scenario(scenario, base=texts[BASE], own=texts[own])
    except BadInput as error:
        if unused:  # perhaps the very fix
            raise BadInput(f"{error}; this was read from commit {commit[:12]}; {_not_used(unused)}") from None
        raise
    return Committed(commit, params, schema, unused)


def _not_used(names: tuple[str, ...]) -> str:
    return f"edits that are not committed are not used: {', '.join(names)}"


_read_commit = lru_cache(maxsize=64)(_read)


def _texts(project: Path, revision: str, names: list[str]) -> tuple[str, dict[str, str]]:
    """Read the commit's id and these files of it; one call of git."""
    commit, *blobs = git_objects(project, [revision, *(f"{revision}:./{name}" for name in names)])
    if commit is None:
        raise BadInput(f"{project} {NO_COMMIT}")
    if missing := [name for name, blob in zip(names, blobs, strict=True) if blob is None]:
        raise BadInput(not_committed(missing))
    return commit.id, {name: blob.text.replace("\r\n", "\n") for name, blob in zip(names, blobs, strict=True) if blob}
