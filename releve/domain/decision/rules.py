"""Business rules: a small table of conditions on single columns, which decide before the model or instead of it.

A rule is data, never code. Rules apply in their order: the first one before the model that holds decides, else the
model does, and then the first one that holds among those that replace what it decided.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from math import isfinite, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.documents import DocumentPart
from releve.core.errors import BadInput
from releve.core.formatting import listed
from releve.core.params import DecisionRule
from releve.domain.decision.choices import Choices
from releve.domain.schema.cells import as_date, format_value
from releve.domain.schema.columns import CATEGORY, DATE, IMAGE, NUMBER, TEXT, Column
from releve.domain.schema.schema import Schema

Cells = Callable[[str], Sequence[Any]]  # the cells of a column, one per row; missing ones where rows have none
Cell = float | str | datetime | None  # None: missing

MISSING, EQUAL, UNEQUAL, IN, NOT_IN = "missing", "==", "!=", "in", "not in"
COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": lambda cell, value: bool(cell > value),
    ">=": lambda cell, value: bool(cell >= value),
    "<": lambda cell, value: bool(cell < value),
    "<=": lambda cell, value: bool(cell <= value),
    EQUAL: lambda cell, value: bool(cell == value),
    UNEQUAL: lambda cell, value: bool(cell != value),
    IN: lambda cell, value: cell in value,
    NOT_IN: lambda cell, value: cell not in value,
}  # of a cell that is there: a missing one fulfils nothing but `missing`
ALWAYS = (EQUAL, UNEQUAL, IN, NOT_IN, MISSING)
OPERATORS = {NUMBER: (*COMPARED, MISSING), DATE: (*COMPARED, MISSING), CATEGORY: ALWAYS, TEXT: ALWAYS}
OTHER = "\0"  # a category that no rule names
SMALL_STEP = {NUMBER: 1.0, DATE: timedelta(days=1)}  # beyond the outermost value of a rule


class Rule(DocumentPart):
    """One rule that fits its table."""

    column: str
    operator: str
    value: float | str | tuple[float, ...] | tuple[str, ...] | None  # dates in ISO 8601
    decision: str
    reason: str
    instead_of: tuple[str, ...] = ()  # what the model decided; (): the rule comes before the model

    @property
    def comes_before(self) -> bool:
        return not self.instead_of

    @property
    def condition(self) -> str:
        """Write it for people: amount > 10000."""
        values = self.value if isinstance(self.value, tuple) else () if self.value is None else (self.value,)
        shown = [f"{each:g}" if isinstance(each, float) else str(each) for each in values]
        wanted = f"({', '.join(shown)})" if isinstance(self.value, tuple) else "".join(shown)
        return " ".join(filter(None, (self.column, self.operator, wanted)))


class RuleBook:
    """Rules of one table, ready to be applied."""

    def __init__(self, rules: Sequence[Rule], schema: Schema, decisions: Sequence[str]) -> None:
        self.rules = tuple(rules)
        self._columns = {rule.column: schema.column(rule.column) for rule in rules}
        self._place = {name: place for place, name in enumerate(decisions)}
        self._values = [_compared_value(rule, self._columns[rule.column]) for rule in rules]

    def apply(self, choices: Choices, cells: Cells) -> tuple[Choices, NDArray[np.intp]]:
        """Return what is decided in the end, and the place of the rule that fired (rows,), -1 where none did."""
        fired = np.full(len(choices), -1, dtype=np.intp)
        typed = {name: [cell_of(column, each) for each in cells(name)] for name, column in self._columns.items()}
        decided = choices
        for number in in_order(self.rules):
            rule, value = self.rules[number], self._values[number]
            holds = np.array([_holds(rule.operator, cell, value) for cell in typed[rule.column]], dtype=bool)
            holds &= fired < 0
            if not rule.comes_before:
                holds &= np.isin(choices.places, [self._place[name] for name in rule.instead_of])
            decided = decided.replaced(holds, self._place[rule.decision])
            fired[holds] = number
        return decided, fired


def cells_of_requests(rows: Sequence[Mapping[str, Any]]) -> Cells:
    """Return what takes the cells of a column of rows as requests bring them."""
    return lambda name: [row.get(name) for row in rows]


def cell_of(column: Column, cell: Any) -> Cell:
    """Return a cell as rules compare it."""
    typed = column.typed(cell)
    if typed is None or (isinstance(typed, float) and isnan(typed)) or typed == "" or typed != typed:
        return None
    return typed  # type: ignore[no-any-return]


def read_rules(
    rules: Sequence[DecisionRule], schema: Schema, decisions: Sequence[str], *, source: str
) -> tuple[Rule, ...]:
    """Check the table of rules. Raises BadInput naming the first rule that does not fit the schema or the decisions, or
    that can never fire."""
    read: dict[int, Rule] = {}
    try:
        for number, rule in enumerate(rules, start=1):
            read[number] = _read(rule, schema, decisions)
            if rule.reason in [each.reason for each in list(read.values())[:-1]]:
                raise ValueError("has the reason of another rule; answers and reports tell rules apart by it")
        earlier: list[Rule] = []
        for number in in_order(list(read.values())):
            number += 1
            _check_reachable(read[number], earlier, schema)
            earlier.append(read[number])
    except ValueError as error:
        raise BadInput(f"{source}: rule {number} of decision.rules {error}") from None
    return tuple(read.values())


def in_order(rules: Sequence[Rule]) -> list[int]:
    """Return the places of rules as they apply: those before the model first."""
    return sorted(range(len(rules)), key=lambda place: not rules[place].comes_before)


def _read(rule: DecisionRule, schema: Schema, decisions: Sequence[str]) -> Rule:
    try:
        schema.check_settings("it", [rule.column], source="")
    except BadInput as error:
        raise ValueError(str(error).removeprefix(": it ")) from None
    if rule.column not in schema.by_name:
        raise ValueError(f"asks for the target '{rule.column}', which nobody knows yet")
    for name in (rule.decision, *rule.instead_of):
        if name not in decisions:
            raise ValueError(f"names the decision '{name}'; decision.costs has {listed(decisions) or 'none'}")
    if rule.decision in rule.instead_of:
        raise ValueError(f"decides '{rule.decision}' instead of itself")
    column = schema.column(rule.column)
    if column.type == IMAGE:
        raise ValueError(f"compares the image '{column.name}'; rules compare numbers, dates, categories and texts")
    if rule.operator not in OPERATORS[column.type]:
        raise ValueError(
            f"compares the {column.type} '{column.name}' by {rule.operator}; it knows {listed(OPERATORS[column.type])}"
        )
    return Rule(
        column=rule.column,
        operator=rule.operator,
        value=_read_value(rule, column),
        decision=rule.decision,
        reason=rule.reason,
        instead_of=rule.instead_of,
    )


def _read_value(rule: DecisionRule, column: Column) -> Any:
    if rule.operator == MISSING:
        if rule.value is not None:
            raise ValueError(f"has the value {format_value(rule.value)}, and 'missing' compares with none")
        return None
    if rule.operator not in (IN, NOT_IN):
        return _one_value(rule.value, column)
    if not isinstance(rule.value, list) or not rule.value:
        raise ValueError(f"has the value {format_value(rule.value)}; '{rule.operator}' needs a list of values")
    return tuple(_one_value(each, column) for each in rule.value)


def _one_value(value: Any, column: Column) -> float | str:
    wrong = ValueError(f"compares the {column.type} '{column.name}' with {format_value(value)}")
    if column.type == NUMBER:
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise wrong
        return float(value)
    if column.type == DATE:
        try:
            return as_date(value).isoformat()
        except (ValueError, TypeError):
            raise wrong from None
    if isinstance(value, float | date) or value is None:
        raise wrong
    if column.type == CATEGORY:
        if column.problem(value):
            raise ValueError(f"{wrong}: the cell {column.problem(value)}")
        return str(column.typed(value))
    if not isinstance(value, str) or not value.strip():
        raise wrong
    return str(column.typed(value))


def _compared_value(rule: Rule, column: Column) -> Any:
    values = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    typed = [datetime.fromisoformat(str(each)) if column.type == DATE and each is not None else each for each in values]
    return frozenset(typed) if isinstance(rule.value, tuple) else typed[0]


def _holds(operator: str, cell: Cell, value: Any) -> bool:
    if operator == MISSING or cell is None:
        return operator == MISSING and cell is None
    return COMPARED[operator](cell, value)


def _check_reachable(rule: Rule, earlier: Sequence[Rule], schema: Schema) -> None:
    """Raise ValueError where no cell of the column makes the rule decide.

    Conditions on one column change at their values alone, so that trying a cell at, between and beyond them tries all.
    """
    column = schema.column(rule.column)
    beside = [each for each in earlier if each.column == rule.column]
    values = {id(each): _compared_value(each, column) for each in (rule, *beside)}

    def holds(each: Rule, cell: Cell) -> bool:
        return _holds(each.operator, cell, values[id(each)])

    reached = [cell for cell in _tried_cells(column, values.values()) if holds(rule, cell)]
    if not reached:
        raise ValueError(f"({rule.condition}) never holds: the schema allows no such cell in '{rule.column}'")
    first = [each for each in beside if each.comes_before or set(rule.instead_of) <= set(each.instead_of)]
    first = [each for each in first if not (rule.comes_before and each.instead_of)]
    if all(any(holds(each, cell) for each in first) for cell in reached):
        each = next(each for each in first if holds(each, reached[0]))
        contradicts = "" if each.decision == rule.decision else f", and decides '{each.decision}'"
        raise ValueError(
            f"({rule.condition}) never decides: rules before it hold wherever it does; the first is "
            f"({each.condition}){contradicts}"
        )


def _tried_cells(column: Column, values: Any) -> Iterator[Cell]:
    named = [one for each in values for one in (each if isinstance(each, frozenset) else [each]) if one is not None]
    if column.nullable or not column.feature:
        yield None
    if column.type in (CATEGORY, TEXT):
        yield from column.categories or [*dict.fromkeys(named), OTHER]
        return
    low, high = (_as_cell(column, limit) for limit in (column.min, column.max))
    ends = sorted({*named, *(each for each in (low, high) if each is not None)})
    step: Any = SMALL_STEP[column.type]
    beyond = [_near(lambda: ends[0] - step), _near(lambda: ends[-1] + step)] if ends else [_as_cell(column, 0.0)]
    between = [before + (after - before) / 2 for before, after in itertools.pairwise(ends)]
    for cell in (*ends, *beyond, *between):
        if cell is not None and (low is None or cell >= low) and (high is None or cell <= high):
            yield cell


def _as_cell(column: Column, limit: Any) -> Any:
    if column.type == DATE:
        return limit if isinstance(limit, datetime) else datetime(2000, 1, 1) if limit is not None else None
    return None if limit is None else float(limit)


def _near(cell: Callable[[], Any]) -> Any:
    try:
        return cell()
    except OverflowError:  # before the first date, or after the last
        return None
