"""Sentences about answers in the ledger. Nothing reads them back."""

import shlex
from dataclasses import asdict

from releve.core.formatting import counted, listed, plural, to_the_second
from releve.domain.arms.label_queue import LabelQueue, ReturnedLabels, Selection
from releve.domain.prediction_log.decisions import ChangedAnswer, DecisionCounts
from releve.domain.prediction_log.records import AnswerLine, SearchLine
from releve.domain.prediction_log.reproduction import Differs, ModelSource, Obstacle, Reproduction

SHOWN = 20  # rejected rows
SOURCES = {
    ModelSource.STORE: "taken from the model store of this machine",
    ModelSource.REMOTE: "fetched from the data remote",
    ModelSource.REBUILT: "built again from the rows of the data remote",
}
OBSTACLES = {
    Obstacle.NOT_FOUND: "no ledger holds it: {detail}",
    Obstacle.INPUTS_MISSING: "the ledger does not hold what was sent: {detail}",
    Obstacle.ERASED: "all of it was erased, as somebody asked for it",
    Obstacle.MODEL_LOST: "its model is lost: {detail}",
}
DIFFERENCES = {
    Differs.LABEL: "row {place}: {recorded} was answered, {again} comes out",
    Differs.PROBABILITY: "row {place}: the probabilities were {recorded}, {again} come out",
    Differs.INTERVAL: "row {place}: the interval was {recorded}, {again} comes out",
    Differs.DECISION: "row {place}: {recorded} was decided, {again} comes out",
    Differs.RULE: "row {place}: the rule that decided was {recorded}, {again} comes out",
    Differs.EXPECTED_COST: "row {place}: a cost of {recorded} was expected, {again} comes out",
    Differs.NEIGHBOUR: "neighbour {place}: {recorded} was found, {again} comes out",
}


def describe_reproduction(found: Reproduction) -> str:
    """Write whether an answer came out again, from what, and each thing that did not."""
    line, lines = found.line, []
    if line is None:
        lines.append(found.request)
    else:
        what = counted(len(line.rows), "answer") if isinstance(line, AnswerLine) else "search"
        lines.append(f"{line.id}: {what} of {line.scenario}, {line.arm} {line.model}, {to_the_second(line.at)}")
    if found.source is not None:
        altered = ", and its bytes are others than those that served" if found.is_altered else ""
        lines.append(
            f"its model was {SOURCES[found.source]}{altered}: revision {found.revision[:12]}, data version "
            f"{found.data_version}"
        )
    if found.obstacle is not Obstacle.ERASED and line is not None:
        lines += _erased(line)
    if found.obstacle is not None:
        lines.append(f"CANNOT be given again: {OBSTACLES[found.obstacle].format(detail=found.detail)}")
    elif found.differences:
        lines += [DIFFERENCES[each.what].format(**vars(each)) for each in found.differences]
    else:
        lines.append("the same comes out again")
    return "\n  ".join(lines)


def _erased(line: AnswerLine | SearchLine) -> list[str]:
    """Name what was erased of a line, of which the rest is given again."""
    if not line.erased:
        return []
    if isinstance(line, SearchLine):
        return ["a row that it found was erased, as somebody asked for it: the others are compared"]
    rows = plural(len(line.erased), "row", "rows")
    return [f"erased, as somebody asked for it: {rows} {listed(map(str, line.erased))}; the others are compared"]


def reproduction_as_json(found: Reproduction) -> dict[str, object]:
    """Return it as `--json` prints it: how it was answered, what comes out now, and whether this is the same."""
    return {"same": found.is_same, **asdict(found)}


def describe_change(change: ChangedAnswer) -> str:
    """Write one answer that changes."""
    return f"{change.id}  {to_the_second(change.at)}  {change.model}  {change.old} -> {change.new}"


def describe_decisions(model: str, counts: DecisionCounts) -> list[str]:
    """Write how many answers change, from what to what, and which could not be asked."""
    share = f" ({counts.changed / counts.answers:.1%})" if counts.answers else ""
    lines = [f"{model} answers {counted(counts.answers, 'row')}, {counts.changed:,} of them{share} otherwise"]
    lines += [f"  {old} -> {new}: {count:,}" for (old, new), count in counts.pairs.most_common()]
    if counts.moved:
        lines.append(f"  by {counts.moved / counts.changed:.4g} on average")
    if counts.refused:
        lines.append(f"  {counts.refused:,} more cannot be asked; the first: {counts.reason}")
    return lines


def describe_queue(scenario: str, queue: LabelQueue) -> list[str]:
    """Write which rows are asked for and why, how many wait, and what to do with the file."""
    if queue.selection is Selection.DISAGREEMENT:
        why = "champion and challenger are compared by their classes: only rows on which they disagree decide"
    else:
        why = f"champion and challenger are compared by {queue.metric}, or answer different rows: all rows are needed"
    lines = [why]
    if queue.path:
        back = shlex.join(["releve", "labels", scenario, str(queue.path)])
        lines += [
            f"{counted(queue.rows, 'row')} without a label in {queue.path}",
            f"fill in the last column, then: {back}",
        ]
    else:
        lines.append("no row needs a label now, so that no file was written")
    if queue.more:
        lines.append(f"{queue.more:,} more need one, all of them newer")
    if queue.waiting:
        lines.append(f"{queue.waiting:,} are too young: their label may come by itself (arms.label_delay_hours)")
    return lines


def describe_returned(source: str, returned: ReturnedLabels) -> list[str]:
    """Write what became of each row of a filled queue."""
    rows, accepted = counted(returned.rows, "row"), counted(returned.accepted, "label")
    rejected = len(returned.rejected)
    lines = [f"{source}: {rows}, {accepted} accepted, {returned.unfilled:,} still empty, {rejected:,} rejected"]
    lines += [f"  {problem}" for problem in returned.rejected[:SHOWN]]
    return lines if rejected <= SHOWN else [*lines, f"  ... and {rejected - SHOWN:,} more"]
