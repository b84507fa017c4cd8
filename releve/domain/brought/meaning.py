"""What the outputs of a foreign model mean, by its answers to known rows: probabilities, logits, one class, a value."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.brought.mapping import MappingFile
from releve.domain.schema.target import REGRESSION, Label, Target

Floats = NDArray[np.float64]

NEAR_ONE = 1e-3  # that probabilities of a row may miss the sum 1 by: half precision, and sums of trees
AGREEING = 0.99  # share of rows on which a label has to be the most probable class: ties are broken either way
LOGITS_MEANS = "logits"


class Means(StrEnum):
    """What an output holds of a row."""

    PROBABILITIES = "probabilities of the classes"
    LOGITS = "logits of the classes"
    ONE_PROBABILITY = "probability of one class"
    ONE_LOGIT = "logit of one class"
    VALUE = "value"


@dataclass(frozen=True)
class RawOutput:
    """An output and its answers: numbers (rows, ...), or labels. `classes`: that the file itself names for it."""

    name: str
    values: NDArray[Any]
    is_label: bool = False
    classes: tuple[Label, ...] = ()


@dataclass(frozen=True)
class OutputMeaning:
    """The output that is read. `classes`: known by the model, in the target's order; `places`: of these in it."""

    name: str
    means: Means
    classes: tuple[Label, ...] = ()
    places: tuple[int, ...] = ()


def understand(outputs: Sequence[RawOutput], target: Target, mapping: MappingFile, *, rows: int) -> OutputMeaning:
    """Find the output that answers, and what it means. Raise BadInput naming the output and what to do."""
    output = _chosen([each for each in outputs if not each.is_label], mapping, every=outputs)
    values = _as_table(output, rows)
    check_finite(values, name=output.name)
    if target.task == REGRESSION:
        if values.shape[1] != 1:
            raise BadInput(f"output {output.name!r} has {values.shape[1]} numbers of a row; a regression has one")
        return OutputMeaning(output.name, Means.VALUE)
    if values.shape[1] == 1:
        return _of_one_class(output.name, values, target, mapping, _labels(outputs, rows))
    order = _order(output, values, target, mapping, _labels(outputs, rows))
    means = _kind(output.name, values, mapping)
    known = tuple(label for label in target.classes if label in order)
    return OutputMeaning(output.name, means, known, tuple(order.index(label) for label in known))


def check_finite(values: Floats, *, name: str) -> None:
    """Raise BadInput naming the first row that is answered with no finite number."""
    odd = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if odd.any():
        row = int(odd.argmax())
        raise BadInput(
            f"output {name!r} answers {int(odd.sum())} of {len(values)} rows with NaN or infinity, first row {row} of "
            "those that were tried; where a cell is missing there, say what takes its place (missing: in the mapping "
            "file), or export the model with its imputer"
        )


def _chosen(candidates: Sequence[RawOutput], mapping: MappingFile, *, every: Sequence[RawOutput]) -> RawOutput:
    names = ", ".join(repr(each.name) for each in every)
    if mapping.output is not None:
        named = next((each for each in candidates if each.name == mapping.output), None)
        if named is None:
            raise BadInput(f"the mapping's output {mapping.output!r} is none that has numbers; the file has {names}")
        return named
    if len(candidates) != 1:
        what = "no output with numbers" if not candidates else "several outputs with numbers"
        advice = "export the probabilities, too" if not candidates else "name one in the mapping file (output: ...)"
        raise BadInput(f"the file has {what} ({names}); {advice}")
    return candidates[0]


def _as_table(output: RawOutput, rows: int) -> Floats:
    shape = output.values.shape
    if shape == (rows,) or (len(shape) == 2 and shape[0] == rows and shape[1] > 0):
        return np.asarray(output.values, dtype=np.float64).reshape(rows, -1)
    raise BadInput(
        f"output {output.name!r} has the shape {shape} for {rows} rows; expected ({rows},) or ({rows}, classes)"
    )


def _labels(outputs: Sequence[RawOutput], rows: int) -> RawOutput | None:
    """Return the label of each row; what has several whole numbers of a row, such as its leaves, is none."""
    return next((each for each in outputs if each.is_label and each.values.size == rows), None)


def _of_one_class(
    name: str, values: Floats, target: Target, mapping: MappingFile, labels: RawOutput | None
) -> OutputMeaning:
    if len(target.classes) != 2:
        raise BadInput(
            f"output {name!r} has one number of a row, and {target.name!r} has {len(target.classes)} classes"
        )
    if mapping.classes:
        order = _parsed(mapping.classes, target, "the mapping")
    elif target.classes in ((0, 1), (1, 0)):
        order = [0, 1]
    else:
        raise BadInput(
            f"output {name!r} has one number of a row, and nothing says of which class; write both into the mapping "
            f"file, its own one last: classes: [{', '.join(map(str, target.classes))}]"
        )
    is_probability = bool((values >= 0).all() and (values <= 1).all()) and mapping.means != LOGITS_MEANS
    if not is_probability and mapping.means == "probabilities":
        raise BadInput(f"output {name!r} has {_outside(values)}, which is no probability; is it means: logits?")
    both = np.column_stack([1 - values, values]) if is_probability else np.column_stack([-values, values])
    _check_labels(labels, both, order, target)
    known = target.classes
    means = Means.ONE_PROBABILITY if is_probability else Means.ONE_LOGIT
    return OutputMeaning(name, means, known, tuple(order.index(label) for label in known))


def _order(
    output: RawOutput, values: Floats, target: Target, mapping: MappingFile, labels: RawOutput | None
) -> list[Label]:
    """Return the class of each number of a row."""
    count, given = values.shape[1], mapping.classes or output.classes
    if given:
        order = _parsed(given, target, "the mapping" if mapping.classes else "the file")
    else:
        order = _order_by_labels(values, target, labels)
    wanted = ", ".join(map(str, target.classes))
    if not order:
        raise BadInput(
            f"nothing says which of the {count} numbers of output {output.name!r} is which class; write them into the "
            f"mapping file, in the model's order: classes: [{wanted}]"
        )
    if len(order) != count:
        raise BadInput(
            f"output {output.name!r} has {count} numbers of a row, and {len(order)} classes are named for them "
            f"({', '.join(map(str, order))}); the scenario has {wanted}"
        )
    _check_labels(labels, values, order, target)
    return order


def _order_by_labels(values: Floats, target: Target, labels: RawOutput | None) -> list[Label]:
    """Tell the classes from the label that the model gives where each number is the highest; [] where that is open."""
    if labels is None:
        return []
    found: dict[int, set[Label | None]] = {}
    for place, label in zip(values.argmax(axis=1).tolist(), labels.values.reshape(-1).tolist(), strict=True):
        found.setdefault(place, set()).add(target.parse(label))
    clear = {place: next(iter(names)) for place, names in found.items() if len(names) == 1}
    if len(clear) == values.shape[1] and None not in clear.values():
        return [label for _, label in sorted(clear.items()) if label is not None]
    is_ours = len(target.classes) == values.shape[1]
    agree = clear and all(target.classes.index(label) == place for place, label in clear.items() if label is not None)
    return list(target.classes) if is_ours and agree and None not in clear.values() else []


def _check_labels(labels: RawOutput | None, values: Floats, order: Sequence[Label], target: Target) -> None:
    """Hold the label that the model gives against its most probable class. Raise BadInput where they differ."""
    if labels is None:
        return
    said = [target.parse(label) for label in labels.values.reshape(-1).tolist()]
    if None in said:  # classes by number, which the mapping names
        return
    likely = [order[place] for place in values.argmax(axis=1)]
    same = np.array([one == other for one, other in zip(said, likely, strict=True)])
    if same.mean() < AGREEING:
        row = int((~same).argmax())
        raise BadInput(
            f"output {labels.name!r} says {said[row]!r} where the numbers are highest for {likely[row]!r}: the "
            "order of the classes is another one; correct `classes` of the mapping file"
        )


def _parsed(given: Sequence[Any], target: Target, who: str) -> list[Label]:
    order = [target.parse(label) for label in given]
    expected = ", ".join(map(str, target.classes))
    if None in order or len(set(order)) < len(order):
        raise BadInput(
            f"{who} names the classes {', '.join(map(str, given))}, and the scenario's are {expected}; name the "
            f"scenario's in the model's order in the mapping file: classes: [{expected}]"
        )
    return [label for label in order if label is not None]


def _kind(name: str, values: Floats, mapping: MappingFile) -> Means:
    in_range = bool((values >= -NEAR_ONE).all() and (values <= 1 + NEAR_ONE).all())
    sums = bool((np.abs(values.sum(axis=1) - 1) <= NEAR_ONE).all())
    if mapping.means == LOGITS_MEANS:
        return Means.LOGITS
    if in_range and sums:
        return Means.PROBABILITIES
    if mapping.means == "probabilities" or in_range:
        found = "numbers from 0 to 1 whose sum is not 1" if in_range else _outside(values)
        raise BadInput(
            f"output {name!r} has {found}, which are no probabilities of classes that exclude each other; export "
            "these, or say means: logits in the mapping file"
        )
    return Means.LOGITS


def _outside(values: Floats) -> str:
    return f"numbers from {values.min():.4g} to {values.max():.4g}"
