"""Names that a feature schema may use: none that clashes with another, with a date part, or with our own columns."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from releve.core.errors import BadInput
from releve.domain.schema.columns import DATE, NUMBER
from releve.domain.schema.own_columns import RESERVED_PREFIX

if TYPE_CHECKING:
    from releve.domain.schema.schema import Schema


def check_names(schema: "Schema", *, source: str) -> None:
    """Raises BadInput for names that clash with others, with ours, or that name nothing."""
    names, target = [column.name for column in schema.columns], schema.target
    for name in [*names, target.name, *target.classes]:
        # Features, the target and the classes become columns of tables that have columns of ours too.
        if str(name).startswith(RESERVED_PREFIX):
            raise BadInput(
                f"{source}: the name '{name}' begins with '{RESERVED_PREFIX}', as Relève's own columns do; "
                "choose another name for the feature, target or class, and use it in the data too"
            )
    if target.name in names:
        raise BadInput(f"{source}: the target '{target.name}' is also among the columns; remove it there")
    if not schema.features:
        raise BadInput(f"{source}: every column has feature: false; a model needs one that it may see")
    if clash := sorted(set(schema.model_numbers[len(schema.numbers) :]) & {*names, target.name}):
        raise BadInput(f"{source}: '{clash[0]}' is also what a part of a date is called; choose another name")
    _check_roles(schema, names, source)


def _check_roles(schema: "Schema", names: Sequence[str], source: str) -> None:
    for role, name in (("time", schema.time), ("id", schema.id)):
        if name is not None and name not in names:
            raise BadInput(f"{source}: '{role}' is {name!r}, which is none of the columns: {', '.join(names)}")
    if schema.time is not None and schema.column(schema.time).type not in (NUMBER, DATE):
        kind = schema.column(schema.time).type
        raise BadInput(f"{source}: 'time' is the {kind} column '{schema.time}'; expected a date or a number")


def check_known(schema: "Schema", setting: str, names: Iterable[str], *, source: str) -> None:
    """Raises BadInput where `setting` of params.yaml is about a column that the table does not have."""
    known = [*(column.name for column in schema.columns), schema.target.name]
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            meant = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known)}"
            raise BadInput(f"{source}: {setting} names '{name}', which is no column of the table; {meant}")
