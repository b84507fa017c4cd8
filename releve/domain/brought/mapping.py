"""Which columns of the table a foreign model's inputs take: by their names, or by a mapping file."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from releve.core.errors import BadInput
from releve.domain.schema.schema import Schema

NUMBERS, CATEGORIES, TEXTS = "numbers", "categories", "texts"  # blocks of `schema.arrays`
WHOLE = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"})  # hold no NaN
FRACTIONS = frozenset({"float16", "float", "double"})
TEXT = "string"
SHOWN_COLUMNS = 12  # of a mapping that an error proposes


class MappingFile(BaseModel):
    """A mapping file, all of it optional: docs/bring_a_model.md."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    inputs: dict[str, list[str]] = {}  # columns by input, in the order that the model takes them
    output: str | None = None  # the one that answers
    means: Literal["probabilities", "logits"] | None = None  # found where left out
    classes: list[int | str] = []  # in the order of the output; of a single number: the other class, then its own
    missing: dict[str, float | int] = {}  # what takes the place of a missing cell, by column


@dataclass(frozen=True)
class TensorInput:
    """An input as the file declares it. `shape`: None for a size that it leaves open."""

    name: str
    kind: str  # "float", "int64", "string", ...
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class MatchedInput:
    """What an input takes: cells of one block, by their places there, in the shape (rows, *tail)."""

    tensor: TensorInput
    block: str
    columns: tuple[str, ...]  # of `schema.model_names`
    places: tuple[int, ...]
    tail: tuple[int, ...]  # () where it takes (rows,)
    missing: Mapping[int, float] = field(default_factory=dict)  # by place in the block


def read_mapping(values: Mapping[str, Any], *, source: str) -> MappingFile:
    """Check what a mapping file says. Raise BadInput naming `source` and the key."""
    try:
        return MappingFile.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"][:2])
        known = ", ".join(MappingFile.model_fields)
        wrong = f"is not known; known are {known}" if first["type"] == "extra_forbidden" else f"is {first['input']!r}"
        raise BadInput(
            f"{source}: '{key}' {wrong}; see docs/bring_a_model.md for what a mapping file may say"
        ) from None


def match_inputs(tensors: Sequence[TensorInput], schema: Schema, mapping: MappingFile) -> tuple[MatchedInput, ...]:
    """Find the columns of every input. Raise BadInput naming the input and what to write."""
    names = [each.name for each in tensors]
    if unknown := [name for name in mapping.inputs if name not in names]:
        raise BadInput(f"the mapping names the input {unknown[0]!r}, and the file has {_listed(names)}; correct it")
    fills = dict(_fills(schema, mapping))
    return tuple(_matched(each, schema, mapping.inputs.get(each.name), fills) for each in tensors)


def _matched(
    tensor: TensorInput, schema: Schema, named: Sequence[str] | None, fills: Mapping[str, float]
) -> MatchedInput:
    if tensor.kind not in WHOLE | FRACTIONS | {TEXT}:
        raise BadInput(f"input {tensor.name!r} takes {tensor.kind}; expected numbers or texts: export it with these")
    if not tensor.shape or tensor.shape[0] is not None:
        fixed = f"exactly {tensor.shape[0]} at a time" if tensor.shape else "one number and no rows"
        raise BadInput(
            f"input {tensor.name!r} takes {fixed}; export it with an open first dimension "
            f"(torch.onnx.export: dynamic_axes={{{tensor.name!r}: {{0: 'rows'}}}})"
        )
    width = _width(tensor)
    columns = tuple(_model_columns(tensor, schema, named))
    block, of_block = next((block, names) for block, names in _blocks(schema).items() if columns[0] in names)
    if strange := [name for name in columns if name not in of_block]:
        raise BadInput(
            f"input {tensor.name!r} takes {columns[0]!r} and {strange[0]!r}, which are of different types; export it "
            "with an input for each type of column"
        )
    if (tensor.kind == TEXT) != (block != NUMBERS):
        takes = "texts" if tensor.kind == TEXT else f"numbers ({tensor.kind})"
        held = "texts" if block != NUMBERS else "numbers"
        raise BadInput(f"input {tensor.name!r} takes {takes}, and {columns[0]!r} holds {held}; export it with {held}")
    if width is not None and width != len(columns):
        raise BadInput(
            f"input {tensor.name!r} takes {width} cells of a row, and {len(columns)} columns are named for it "
            f"({_listed(columns)}); name as many, in the model's order"
        )
    missing = {of_block.index(name): fills[name] for name in columns if name in fills}
    nullable = [name for name in columns if name not in fills and schema.by_name[column_of(name, schema)].nullable]
    if tensor.kind in WHOLE and nullable:
        raise BadInput(
            f"input {tensor.name!r} takes whole numbers, and cells of {nullable[0]!r} may be missing; say in the "
            f"mapping file what takes their place: missing: {{{nullable[0]}: 0}}"
        )
    tail = tuple(size if size else len(columns) for size in tensor.shape[1:])
    return MatchedInput(tensor, block, columns, tuple(of_block.index(name) for name in columns), tail, missing)


def _width(tensor: TensorInput) -> int | None:
    """Return how many cells of a row it takes; None where the file leaves that open."""
    inner = [size for size in tensor.shape[1:]]
    if len(inner) > 1 and None in inner:
        raise BadInput(
            f"input {tensor.name!r} has the shape {tensor.shape}; only rows, or rows and columns, may be open"
        )
    known = [size for size in inner if size is not None]
    return math.prod(known) if len(known) == len(inner) else None


def _model_columns(tensor: TensorInput, schema: Schema, named: Sequence[str] | None) -> Iterator[str]:
    """List what the model sees of the columns that are meant: a date is its parts, an image its pixels."""
    if named is None and tensor.name not in {*schema.model_names, *schema.feature_parts}:
        raise BadInput(_unmatched(tensor, schema))
    for name in named or [tensor.name]:
        if name in schema.feature_parts:
            yield from schema.feature_parts[name]
        elif name in schema.model_names:
            yield name
        else:
            raise BadInput(f"input {tensor.name!r} cannot take {name!r}: {_why_not(name, schema)}")


def _unmatched(tensor: TensorInput, schema: Schema) -> str:
    if tensor.name == schema.target.name or tensor.name in schema.by_name:
        return f"input {tensor.name!r} cannot be taken from the table: {_why_not(tensor.name, schema)}"
    width = _width(tensor)
    takes = "columns" if width is None else "one column" if width == 1 else f"{width} numbers of a row"
    says = f"input {tensor.name!r} has the name of no column; say in a mapping file (--map) which {takes} it takes"
    if tensor.kind == TEXT:
        fitting = schema.categories if len(schema.categories) == width else [*schema.categories, *schema.texts]
    else:
        fitting = schema.numbers if len(schema.numbers) == width else [*schema.numbers, *schema.feature_parts]
    if width == 1 and (near := get_close_matches(tensor.name, [*fitting, *schema.model_numbers], n=1)):
        return f"{says}; did you mean inputs: {{{tensor.name}: [{near[0]}]}}?"
    cells = sum(len(schema.feature_parts.get(name, (name,))) for name in fitting)
    if cells == width and len(fitting) <= SHOWN_COLUMNS:
        return f"{says}, in the model's order; in the table's it is inputs: {{{tensor.name}: [{', '.join(fitting)}]}}"
    return f"{says}, in the model's order: inputs: {{{tensor.name}: [...]}}, of {_listed(fitting) or 'none that fits'}"


def _why_not(name: str, schema: Schema) -> str:
    if name == schema.target.name:
        return "it is the target, which nobody knows when a model is asked"
    if name in schema.by_name:
        return "the scenario says of it `feature: false`"
    near = get_close_matches(name, [*schema.model_names, *schema.feature_parts], n=1)
    return "the table has no such column" + (f"; did you mean {near[0]!r}?" if near else "")


def _fills(schema: Schema, mapping: MappingFile) -> Iterator[tuple[str, float]]:
    for name, value in mapping.missing.items():
        if name not in {*schema.model_numbers, *schema.feature_parts}:
            raise BadInput(f"the mapping's 'missing' names {name!r}, which is no number of the table; remove it")
        if not math.isfinite(value):
            raise BadInput(f"the mapping's 'missing' gives {name!r} {value}; expected a finite number")
        yield from ((part, float(value)) for part in schema.feature_parts.get(name, (name,)))


def _blocks(schema: Schema) -> dict[str, list[str]]:
    return {NUMBERS: schema.model_numbers, CATEGORIES: schema.categories, TEXTS: schema.texts}


def column_of(part: str, schema: Schema) -> str:
    """Return the column that a part is of, such as the month of a date; what is no part is a column itself."""
    return next((name for name, parts in schema.feature_parts.items() if part in parts), part)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:SHOWN_COLUMNS])) + (", ..." if len(names) > SHOWN_COLUMNS else "")
