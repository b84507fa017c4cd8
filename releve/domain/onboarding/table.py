"""A sample of a table, put together: its schema, its findings and its overrides, and params.yaml that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.core.config_hint import settings_hint
from releve.core.errors import BadInput
from releve.core.formatting import counted, listed
from releve.core.params import merge, parse
from releve.domain.ingestion.cell_formats import CellFormats
from releve.domain.ingestion.reading_notes import ReadingNote
from releve.domain.onboarding import doubts, order
from releve.domain.onboarding.columns import column_findings, column_spec, open_finding, seen
from releve.domain.onboarding.findings import Finding, in_order, left_out
from releve.domain.onboarding.formats import Formats, find_formats
from releve.domain.onboarding.leaks import leak_findings
from releve.domain.onboarding.profiles import Profile, as_names, profile
from releve.domain.onboarding.rejections import rest
from releve.domain.onboarding.settings import Override, as_sections, joined, overrides_for
from releve.domain.onboarding.targets import class_counts, positive_reason, target_findings, target_profile, target_spec
from releve.domain.schema.columns import CATEGORY, DATE, NUMBER
from releve.domain.schema.schema import RESERVED_PREFIX, Schema
from releve.domain.schema.target import REGRESSION

if TYPE_CHECKING:
    import pandas as pd


LONGEST_NAME = 200  # characters of a column's name; YAML takes 1,024


@dataclass(frozen=True)
class Sample:
    """Rows of the file as found, and what was not."""

    source: str  # the file's name
    read_as: str  # how it was read, in words
    frame: "pd.DataFrame"
    as_text: bool  # all cells are text, as in CSV
    is_whole: bool  # whether these are all its rows
    unread: tuple[str, ...]  # a reason for each line that is no row
    notes: tuple[ReadingNote, ...] = ()


@dataclass(frozen=True)
class Roles:
    """What the person said of the table."""

    target: str
    time: str | None = None
    id: str | None = None
    task: str | None = None
    settings: tuple[Override, ...] = ()  # settings of params.yaml


@dataclass(frozen=True)
class Described:
    """What was inferred. `table` is what `Schema.from_dict` reads; `seen` has a comment per column."""

    table: Mapping[str, Any]
    seen: Mapping[str, str]
    overrides: Sequence[Override]
    summary: Sequence[str]
    findings: Sequence[Finding]


def describe(
    sample: Sample, roles: Roles, *, base: Mapping[str, Any], without: frozenset[int] = frozenset()
) -> Described:
    """Infer everything from the rows of `sample` that are not in `without`; `base` is the root params.yaml.

    Raises BadInput when the target, time or id is no column, the time cannot be ordered, or nothing can be learned; it
    tells the lines that are no rows too, which may be why.
    """
    try:
        return _described(sample, replace(roles, settings=joined(roles.settings)), base, without)
    except BadInput as error:
        raise BadInput(". Besides, ".join([str(error), *(finding.text for finding in _unread(sample))])) from None


def _described(sample: Sample, roles: Roles, base: Mapping[str, Any], without: frozenset[int]) -> Described:
    whole = sample.frame.rename(columns=str)
    _check_names([*whole.columns], roles)
    formats = _formats(whole.iloc[rest(len(whole), without)].reset_index(drop=True), sample, roles, base)
    frame, reading = formats.frame, formats.reading
    profiles = {
        name: profile(name, frame[name], as_text=sample.as_text, is_marker=reading.is_marker)
        for name in frame.columns
        if name != roles.target
    }
    target = target_profile(roles.target, frame[roles.target], as_text=sample.as_text, reading=reading)
    if roles.id in profiles and roles.id != roles.time:
        profiles[roles.id] = as_names(profiles[roles.id])
    columns = list(profiles.values())
    _check_time(profiles.get(roles.time or ""), formats.asked.get(roles.time or ""))
    spec = target_spec(target, task=roles.task, asked=formats.asked.get(roles.target))
    found_time = None if roles.time else order.newest_first(columns)
    roles = replace(roles, time=roles.time or found_time)
    rows = order.time_order(profiles[roles.time]) if roles.time else np.arange(len(frame))
    course = order.course(target, spec, rows)
    findings = [
        *_unread(sample),
        *formats.findings,
        *order.time_findings(columns, time=roles.time, was_found=found_time is not None),
        *order.course_findings(target.name, course),
        *_findings(columns, target, spec, roles, base, rows=len(frame), formats=formats),
    ]
    no_features = left_out(findings)
    if len(no_features) == len(columns):
        raise BadInput(f"no feature is left: {'; '.join(f'{name} ({why})' for name, why in no_features.items())}")
    described = {
        "target": spec,
        **{key: name for key, name in (("time", roles.time), ("id", roles.id)) if name},
        "columns": {each.name: _spec(each, no_features, roles) for each in columns},
    }
    Schema.from_dict(described, source=sample.source)
    labels = target_profile(roles.target, whole[roles.target], as_text=sample.as_text, reading=reading)
    return Described(
        described,
        {each.name: f"{seen(each)}{_comma(no_features.get(each.name))}" for each in columns} | _comment_on(target),
        _with_formats([*overrides_for(len(frame), base=base, said=roles.settings), *roles.settings], formats),
        _summary(sample, described, target, course, unlabelled=labels.missing),
        in_order(findings),
    )


def _formats(frame: "pd.DataFrame", sample: Sample, roles: Roles, base: Mapping[str, Any]) -> Formats:
    """How the file is read, in view of what the person said."""
    params = parse(merge(base, as_sections(roles.settings)), source="params.yaml with what you set")
    said = {each.key for each in roles.settings if each.section == "ingest"}
    return find_formats(
        frame,
        CellFormats.of(params.ingest),
        as_text=sample.as_text,
        is_numerals_said=bool(said & {"csv_thousands", "csv_decimal"}),
        time=roles.time,
    )


def _with_formats(overrides: list[Override], formats: Formats) -> list[Override]:
    """What was found of a setting holds what was said of it."""
    found = {(each.section, each.key) for each in formats.overrides}
    return [*(each for each in overrides if (each.section, each.key) not in found), *formats.overrides]


def _comment_on(target: Profile) -> dict[str, str]:
    """A comment beside the target where spellings of its classes were joined."""
    spellings = [listed(map(repr, each), between=" and ") for each in target.spellings.values()]
    return {target.name: f"what is predicted; ignore_case, since {'; '.join(spellings)} are one"} if spellings else {}


def _spec(column: Profile, no_features: Mapping[str, str], roles: Roles) -> dict[str, Any]:
    """A line of `columns`. What is no feature says its type alone, and one value tells no type: what stands in such a
    column tomorrow is no reason to reject a row."""
    spec = column_spec(column)
    if column.name not in no_features:
        return spec
    if column.distinct <= 1 and column.name not in (roles.time, roles.id):
        spec["type"] = CATEGORY
    return {key: spec[key] for key in ("type", "nullable") if key in spec} | {"feature": False}


def _findings(
    columns: list[Profile],
    target: Profile,
    spec: Mapping[str, Any],
    roles: Roles,
    base: Mapping[str, Any],
    *,
    rows: int,
    formats: Formats,
) -> list[Finding]:
    by_column = {column.name: column_findings(column, formats.asked.get(column.name)) for column in columns}
    alone = [finding for findings in by_column.values() for finding in findings]
    named = [column for column in columns if column.name not in formats.asked]  # numbers in doubt are no names
    ids = doubts.id_findings(named, id=roles.id, time=roles.time)
    kept = [column for column in _without(columns, [*alone, *ids]) if column.name != roles.time]
    leaks = leak_findings(kept, target, is_class=spec["task"] != REGRESSION)
    features = _without(kept, leaks)
    gone = left_out([*alone, *ids, *leaks])
    alone = [finding for name in by_column for finding in by_column[name] if finding.leaves_out or name not in gone]
    return [
        *target_findings(target, dict(spec), missing=formats.reading.missing),
        *alone,
        *ids,
        *leaks,
        *order.clock_findings(features),
        *doubts.size_findings(
            rows, min_rows=base["statistics"]["min_rows"], holdout_share=base["split"]["holdout_share"]
        ),
        *doubts.repetition_findings([*_without(columns, ids), target]),
        *doubts.mixed_findings(features),
        *(finding for column in features if (finding := open_finding(column)) is not None),
        *doubts.mirror_findings(features),
        *doubts.code_findings(features),
    ]


def _without(columns: Sequence[Profile], findings: Sequence[Finding]) -> list[Profile]:
    gone = left_out(findings)
    return [column for column in columns if column.name not in gone]


def _check_names(names: list[str], roles: Roles) -> None:
    for role, name in (("target", roles.target), ("time", roles.time), ("id", roles.id)):
        if name is not None and name not in names:
            close = _like(name, names)
            meant = f"; did you mean {close}?" if close else f"; there are: {listed(names, most=20)}"
            raise BadInput(f"the {role} '{name}' is no column of the file{meant}")
    if roles.target in (roles.time, roles.id):
        raise BadInput(f"'{roles.target}' is named twice; the target can be neither the time nor the id")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"the file has {listed(map(repr, twice))} twice; give each column a name of its own")
    if odd := [name for name in names if not name.isprintable() or len(name) > LONGEST_NAME]:
        raise BadInput(
            f"the file has the column {odd[0][:LONGEST_NAME]!r}; a name has at most {LONGEST_NAME} characters, no line "
            "breaks and no other invisible ones: rename it in the file"
        )
    if odd := [name for name in names if name.startswith(RESERVED_PREFIX) or not name.strip()]:
        raise BadInput(
            f"the file has the column {odd[0]!r}; a name must not be empty or begin with '{RESERVED_PREFIX}', as "
            "Relève's own columns do: rename it in the file (pandas: to_csv(index=False) leaves row numbers out)"
        )


def _like(name: str, names: list[str]) -> str:
    """The columns that somebody may have meant: a part of a name is often all that one remembers."""
    holding = [each for each in names if min(len(name), len(each)) > 2 and _holds(each, name)]
    return listed((f"'{each}'" for each in holding or get_close_matches(name, names, n=1)), most=3)


def _holds(one: str, other: str) -> bool:
    one, other = one.lower(), other.lower()
    return one in other or other in one


def _check_time(column: Profile | None, asked: Finding | None) -> None:
    if column is not None and column.type not in (NUMBER, DATE) and asked is not None:
        raise BadInput(f"the time {asked.text}")
    if column is not None and column.type not in (NUMBER, DATE):
        example = next(iter(column.counts), "nothing")
        raise BadInput(
            f"the time '{column.name}' holds {example!r}; expected dates such as 2024-12-31 or 2024-12-31T14:00:00 "
            "(ISO 8601), or numbers. Write them so into the file, or say in which format of Python's strptime they "
            f"are: {settings_hint({'ingest.dates': {column.name: '%d/%m/%Y'}})} reads 31/12/2024"
        )


def _unread(sample: Sample) -> list[Finding]:
    """Of the file: the lines that are no rows, and what the reader did that cells do not show."""
    notes = [Finding("cells" if note.column else "role", str(note)) for note in sample.notes]
    if not sample.unread:
        return notes
    shown = listed(sample.unread, most=3, between="; ")  # a reason has commas
    text = f"{counted(len(sample.unread), 'line')} could not be read as a row: {shown}"
    return [Finding("unread", text), *notes]


def _summary(
    sample: Sample, described: Mapping[str, Any], target: Profile, course: order.Course | None, *, unlabelled: int
) -> list[str]:
    """What was seen, in a few lines."""
    first = "" if sample.is_whole else "the first "
    columns: Mapping[str, Mapping[str, Any]] = described["columns"]
    spec: Mapping[str, Any] = described["target"]
    features = {name: each["type"] for name, each in columns.items() if each.get("feature", True)}
    kinds = (
        (kind, [name for name, type in features.items() if type == kind]) for kind in dict.fromkeys(features.values())
    )
    positive = spec.get("positive")
    share = unlabelled / max(len(sample.frame), 1)
    return [
        f"{sample.source}, {sample.read_as}: {first}{counted(len(sample.frame), 'row')}, "
        f"{counted(len(columns) + 1, 'column')}",
        f"{spec['task']} of {target.name}: {_outcomes(target, spec)}",
        *([] if positive is None else [f"  positive class: {positive} ({positive_reason(target, spec['classes'])})"]),
        *([f"  without a label: {counted(unlabelled, 'row')} ({share:.1%})"] if unlabelled else []),
        *([] if course is None else [f"  {order.described_course(course, positive=positive)}"]),
        *(f"{counted(len(names), f'{kind} feature')}: {listed(names, most=12)}" for kind, names in kinds),
    ]


def _outcomes(target: Profile, spec: Mapping[str, Any]) -> str:
    if spec["task"] == REGRESSION:
        return seen(target)
    shares = (
        f"{name}: {counted(count, 'row')} ({count / target.present:.1%})"
        for name, count in class_counts(target).items()
    )
    return listed(shares, most=12)


def _comma(why: str | None) -> str:
    return f"; {why}" if why else ""
