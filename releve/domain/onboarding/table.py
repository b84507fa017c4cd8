"""A new table as a draft of its scenario: the schema, the issues, the settings that differ, and a summary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from releve.core.config_hint import settings_hint
from releve.core.errors import BadInput
from releve.core.formatting import counted, listed
from releve.core.params import Params
from releve.domain.ingestion.cell_formats import CellFormats
from releve.domain.ingestion.reading_notes import ReadingNote
from releve.domain.onboarding import issues as table_issues
from releve.domain.onboarding import row_order
from releve.domain.onboarding.columns import (
    column_issues,
    column_spec,
    constant_issues,
    many_values_issues,
    missing_issues,
    seen,
)
from releve.domain.onboarding.formats import Formats, find_formats
from releve.domain.onboarding.issues import Issue, left_out, ranked
from releve.domain.onboarding.leakage import leak_issues
from releve.domain.onboarding.params_file import ScenarioDraft, SettingOverride, joined, overrides_for, with_overrides
from releve.domain.onboarding.personal import personal_issues
from releve.domain.onboarding.profiles import ColumnProfile, as_names, profile
from releve.domain.onboarding.target import (
    TargetSpec,
    class_counts,
    positive_reason,
    target_issues,
    target_profile,
    target_spec,
)
from releve.domain.schema.columns import CATEGORY, DATE, NUMBER
from releve.domain.schema.schema import RESERVED_PREFIX, Schema
from releve.domain.schema.target import REGRESSION

if TYPE_CHECKING:
    import pandas as pd


LONGEST_NAME = 200  # characters of a column's name; YAML takes 1,024


@dataclass(frozen=True)
class NewTable:
    """Rows of the file as read, and what was not."""

    source: str  # the file's name
    read_as: str  # how it was read, in words
    frame: "pd.DataFrame"
    as_text: bool  # all cells are text, as in CSV
    is_whole: bool  # whether these are all its rows
    unread: tuple[str, ...]  # a reason for each line that is no row
    notes: tuple[ReadingNote, ...] = ()

    @property
    def issues(self) -> list[Issue]:
        """List lines that are no rows, and what the reader did that cells do not show."""
        notes = [Issue("cells" if note.column else "role", str(note)) for note in self.notes]
        if not self.unread:
            return notes
        shown = listed(self.unread, most=3, between="; ")  # a reason has commas
        return [Issue("unread", f"{counted(len(self.unread), 'line')} could not be read as a row: {shown}"), *notes]


@dataclass(frozen=True)
class Roles:
    """What a person gives beside the file."""

    target: str
    time: str | None = None
    id: str | None = None
    task: str | None = None
    settings: tuple[SettingOverride, ...] = ()  # of params.yaml
    kept: frozenset[str] = frozenset()  # features, whatever is doubted
    left_out: frozenset[str] = frozenset()  # no features
    personal: frozenset[str] = frozenset()  # columns, whatever they look like
    not_personal: frozenset[str] = frozenset()  # the same


def describe(table: NewTable, roles: Roles, *, base: Params, without: frozenset[int] = frozenset()) -> ScenarioDraft:
    """Infer everything from the rows of `table` that are not in `without`; `base` is the root params.yaml.

    Raises BadInput when the target, time or id is no column, the time cannot be ordered, or nothing can be learned; it
    names the lines that are no rows too, which may be why.
    """
    try:
        return _draft(table, replace(roles, settings=joined(roles.settings, base=base)), base, without)
    except BadInput as error:
        raise BadInput(". Besides, ".join([str(error), *(issue.text for issue in table.issues)])) from None


def _draft(table: NewTable, roles: Roles, base: Params, without: frozenset[int]) -> ScenarioDraft:
    whole = table.frame.rename(columns=str)
    _check_names([*whole.columns], roles)
    rows = [row for row in range(len(whole)) if row not in without]
    formats = _find_formats(table, whole.iloc[rows].reset_index(drop=True), roles, base)
    profiles = _profiles(table, formats, roles)
    target = target_profile(roles.target, formats.frame[roles.target], as_text=table.as_text, reading=formats.reading)
    columns = list(profiles.values())
    if roles.time:
        _check_time(profiles[roles.time], formats.ambiguous.get(roles.time))
    spec = target_spec(target, task=roles.task, ambiguous=formats.ambiguous.get(roles.target))
    inferred_time = None if roles.time else row_order.newest_first(columns)
    roles = replace(roles, time=roles.time or inferred_time)
    order = row_order.time_order(profiles[roles.time]) if roles.time else np.arange(len(rows))
    trend = row_order.target_trend(target, order, is_class=spec.task != REGRESSION)
    issues = [
        *table.issues,
        *formats.issues,
        *row_order.time_issues(columns, time=roles.time, is_inferred=inferred_time is not None),
        *row_order.trend_issues(target.name, trend, positive=spec.positive),
        *_issues(columns, target, spec, roles, base, rows=len(rows), formats=formats),
    ]
    no_features = {name: why for name, why in left_out(issues).items() if name not in roles.kept}
    no_features |= dict.fromkeys(sorted(roles.left_out), "left out, as you said")
    if len(no_features) == len(columns):
        raise BadInput(f"no feature is left: {'; '.join(f'{name} ({why})' for name, why in no_features.items())}")
    personal = roles.personal.union(*(issue.personal for issue in issues))
    specs = {each.name: _spec(each, no_features, personal, roles) for each in columns}
    keys = {key: name for key, name in (("time", roles.time), ("id", roles.id)) if name}
    described = {"target": spec.as_dict(), **keys, "columns": specs}
    Schema.from_dict(described, source=table.source)
    clear = [name for name in specs if name in personal and name not in no_features]
    labels = target_profile(roles.target, whole[roles.target], as_text=table.as_text, reading=formats.reading)
    return ScenarioDraft(
        described,
        _comments(columns, specs, no_features, target),
        _overrides(roles, base, formats, rows=len(rows), clear=clear),
        _summary(table, specs, spec, target, trend, unlabelled=labels.missing),
        ranked(issues),
    )


def _find_formats(table: NewTable, frame: "pd.DataFrame", roles: Roles, base: Params) -> Formats:
    """Find how the file writes its cells, beside what a person has said of it."""
    given = {each.key for each in roles.settings if each.section == "ingest"}
    params = with_overrides(base, roles.settings, source="params.yaml with what you set")
    return find_formats(
        frame,
        CellFormats.of(params.ingest),
        as_text=table.as_text,
        is_given=bool(given & {"csv_thousands", "csv_decimal"}),
        time=roles.time,
    )


def _profiles(table: NewTable, formats: Formats, roles: Roles) -> dict[str, ColumnProfile]:
    """Profile the columns beside the target."""
    profiles = {
        name: profile(name, formats.frame[name], as_text=table.as_text, is_marker=formats.reading.is_marked)
        for name in formats.frame.columns
        if name != roles.target
    }
    if roles.id in profiles and roles.id != roles.time:
        profiles[roles.id] = as_names(profiles[roles.id])
    return profiles


def _comments(
    columns: Sequence[ColumnProfile],
    specs: Mapping[str, Mapping[str, object]],
    no_features: Mapping[str, str],
    target: ColumnProfile,
) -> dict[str, str]:
    """Write the comment beside each column's line, and beside a target that is spelt in several ways."""
    comments = {
        each.name: "; ".join(filter(None, (_seen(each, specs[each.name]), no_features.get(each.name))))
        for each in columns
    }
    if target.spellings:
        spellings = "; ".join(listed(map(repr, each), between=" and ") for each in target.spellings.values())
        comments[target.name] = f"what is predicted; ignore_case, since {spellings} are one"
    return comments


def _overrides(
    roles: Roles, base: Params, formats: Formats, *, rows: int, clear: Sequence[str]
) -> list[SettingOverride]:
    """Return the settings of this scenario. `clear`: personal columns that the model learns from."""
    inferred = {(each.section, each.key) for each in formats.overrides}  # these hold what was given too
    overrides = [*overrides_for(rows, base=base, given=roles.settings), *roles.settings]
    if clear and not any((each.section, each.key) == ("ledger", "keep_clear") for each in overrides):
        overrides.append(SettingOverride("ledger", "keep_clear", clear, "personal, and the model learns from it"))
    return [*(each for each in overrides if (each.section, each.key) not in inferred), *formats.overrides]


def _spec(
    column: ColumnProfile, no_features: Mapping[str, str], personal: frozenset[str], roles: Roles
) -> dict[str, object]:
    """Write a line of `columns`. What is no feature says its type alone, and one value tells no type: what stands in
    such a column tomorrow is no reason to reject a row."""
    spec, of_people = column_spec(column), {"personal": True} if column.name in personal else {}
    if of_people and column.form != "boolean":  # params.yaml is in git, and people stand in no list there
        spec.pop("categories", None)
    if column.name not in no_features:
        return spec | of_people
    if column.distinct <= 1 and column.name not in (roles.time, roles.id):
        spec["type"] = CATEGORY
    return {key: spec[key] for key in ("type", "nullable") if key in spec} | {"feature": False} | of_people


def _seen(column: ColumnProfile, spec: Mapping[str, object]) -> str:
    """Write the comment beside a column's line: of a personal one no cell, and why its categories are not listed."""
    if not spec.get("personal"):
        return seen(column)
    is_open = spec.get("feature", True) and spec["type"] == CATEGORY and "categories" not in spec
    return "personal, so its categories are not listed: any is accepted" if is_open else ""


def _issues(
    columns: list[ColumnProfile],
    target: ColumnProfile,
    spec: TargetSpec,
    roles: Roles,
    base: Params,
    *,
    rows: int,
    formats: Formats,
) -> list[Issue]:
    """Collect the issues of columns and table. What one issue leaves out has no further ones."""

    def without(columns: Sequence[ColumnProfile], issues: Sequence[Issue]) -> list[ColumnProfile]:
        gone = left_out(issues)
        return [column for column in columns if column.name not in gone]

    by_column = {column.name: column_issues(column, formats.ambiguous.get(column.name)) for column in columns}
    constant = list(constant_issues(columns))
    alone = [*(issue for issues in by_column.values() for issue in issues), *constant]
    named = [column for column in columns if column.name not in formats.ambiguous]  # ambiguous numbers are no names
    asked = [column for column in without(columns, alone) if column.name not in roles.not_personal]
    personal = list(personal_issues(asked, id=roles.id, time=roles.time))
    ids = list(table_issues.id_issues(without(named, personal), id=roles.id, time=roles.time))
    kept = [column for column in without(columns, [*alone, *personal, *ids]) if column.name != roles.time]
    leaks = leak_issues(kept, target, is_class=spec.task != REGRESSION)
    features = without(kept, leaks)
    gone = left_out([*alone, *personal, *ids, *leaks])
    return [
        *target_issues(target, spec.task, missing=formats.reading.missing),
        *(issue for name, issues in by_column.items() for issue in issues if issue.leaves_out or name not in gone),
        *constant,
        *missing_issues([column for column in columns if column.name not in gone]),
        *personal,
        *ids,
        *leaks,
        *row_order.clock_issues(features),
        *table_issues.size_issues(rows, min_rows=base.statistics.min_rows),
        *table_issues.repetition_issues([*without(columns, ids), target]),
        *table_issues.mixed_issues(features),
        *(issue for column in features for issue in many_values_issues(column)),
        *table_issues.mirror_issues(features),
        *table_issues.code_issues(features),
    ]


def _check_names(names: list[str], roles: Roles) -> None:
    for role, name in (("target", roles.target), ("time", roles.time), ("id", roles.id)):
        if name is not None and name not in names:
            # A part of a name is often all that one remembers.
            lower = name.lower()
            alike = [each for each in names if lower in each.lower() or each.lower() in lower]
            alike = [each for each in alike if min(len(name), len(each)) > 2] or get_close_matches(name, names, n=1)
            close = listed((f"'{each}'" for each in alike), most=3)
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


def _check_time(column: ColumnProfile, ambiguous: Issue | None) -> None:
    if column.type in (NUMBER, DATE):
        return
    if ambiguous is not None:
        raise BadInput(f"the time {ambiguous.text}")
    example = next(iter(column.counts), "nothing")
    raise BadInput(
        f"the time '{column.name}' holds {example!r}; expected dates such as 2024-12-31 or 2024-12-31T14:00:00 (ISO "
        "8601), or numbers. Write them so into the file, or say in which format of Python's strptime they are: "
        f"{settings_hint({'ingest.dates': {column.name: '%d/%m/%Y'}})} reads 31/12/2024"
    )


def _summary(
    table: NewTable,
    specs: Mapping[str, Mapping[str, object]],
    spec: TargetSpec,
    target: ColumnProfile,
    trend: row_order.TargetTrend | None,
    *,
    unlabelled: int,
) -> list[str]:
    """Describe what was seen, in a few lines."""
    rows = len(table.frame)
    features: dict[object, list[str]] = {}
    for name, each in specs.items():
        if each.get("feature", True):
            features.setdefault(each["type"], []).append(name)
    if spec.task == REGRESSION:
        values = seen(target)
    else:
        counts = class_counts(target).items()
        shares = (f"{name}: {counted(count, 'row')} ({count / target.present:.1%})" for name, count in counts)
        values = listed(shares, most=12)
    reason = "" if spec.positive is None else f"{spec.positive} ({positive_reason(target, spec)})"
    return [
        f"{table.source}, {table.read_as}: {'' if table.is_whole else 'the first '}{counted(rows, 'row')}, "
        f"{counted(len(specs) + 1, 'column')}",
        f"{spec.task} of {target.name}: {values}",
        *([f"  positive class: {reason}"] if reason else []),
        *([f"  without a label: {counted(unlabelled, 'row')} ({unlabelled / max(rows, 1):.1%})"] if unlabelled else []),
        *([] if trend is None else [f"  {trend.describe(positive=spec.positive)}"]),
        *(f"{counted(len(names), f'{kind} feature')}: {listed(names, most=12)}" for kind, names in features.items()),
    ]
