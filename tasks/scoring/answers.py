"""What a worker does: rows are read as ingestion reads them, checked and answered as the service does it."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.adapters.known_values import known_values_path
from releve.adapters.models import model_runtime
from releve.adapters.models.model_runtime import Model
from releve.adapters.tables.chunks import Chunk, Piece
from releve.adapters.tables.image_files import read_images
from releve.core.params import Ingest
from releve.domain.decision.money import cells_of
from releve.domain.decision.policy import Decided
from releve.domain.features.completion import complete_later_frame, later_values
from releve.domain.features.history import Key, LagHistory, RowTimes, Series, Values
from releve.domain.ingestion.cell_formats import CellFormats, read_cells
from releve.domain.schema.arrays import arrays_of_frame, rows_of_frame
from releve.domain.schema.schema import ROW, Schema
from releve.domain.schema.validation import Checked, Problem, check_frame, with_columns
from releve.domain.scoring.columns import (
    DECISION,
    EXPECTED_COST,
    HIGH,
    LABEL,
    LOW,
    PROBABILITY,
    RULE,
    VALUE,
    class_columns,
    id_column,
)
from releve.serving.prediction import TOO_LARGE, rounded, sent_numbers, unanswered
from releve.serving.scenarios.features import FeatureSource
from tasks.ingestion.intake import small_enough, without_own_columns
from tasks.places import ScenarioState

if TYPE_CHECKING:
    import pandas as pd

ANSWERED = "(answer)"  # stands for the column where the model could not answer a row
ROWS_PER_REQUEST = 500  # of the ledger: a label is found by reading the line of its request


@dataclass(frozen=True)
class Scorer:
    """What all workers share. `files`: of the model, for workers that do not see `folder`."""

    tag: str
    folder: Path
    files: Mapping[str, bytes]
    ingest: Ingest
    images: Path
    ledger: bool
    known: Mapping[Key, Series] = field(default_factory=dict)  # of columns whose lags are features, when it began


@dataclass(frozen=True)
class PieceToScore:
    """Rows of an input."""

    source: int  # the input's place among them
    name: str  # as messages call it
    piece: Piece
    is_text: bool
    place: int  # bytes of all inputs up to its end
    number: int = 1  # among the pieces of its input, from 1
    reached: Mapping[Key, Series] = field(default_factory=dict)  # of all inputs, what its rows look lags up in


@dataclass(frozen=True)
class LedgerRequest:
    """Rows as a request of the service would bring them, with their answers."""

    rows: Sequence[Mapping[str, Any]]
    labels: Sequence[Any]
    probabilities: Sequence[Sequence[float]] | None
    intervals: Sequence[Sequence[float]] | None
    decided: Decided | None


@dataclass(frozen=True, eq=False)
class ScoredPiece:
    """A piece's answers, as the output has them, and its rejected rows."""

    answers: "pd.DataFrame"
    requests: tuple[LedgerRequest, ...]
    rejected: Chunk
    problems: tuple[Problem, ...]
    unknown: Counter[str]  # answered rows whose lag was not known, by its name

    @property
    def rows(self) -> int:
        return len(self.answers) + len(self.rejected.frame) + len(self.rejected.lines)


@dataclass(frozen=True, eq=False)
class PieceHistory:
    """The columns of a piece whose lags are features, by its accepted rows."""

    rows: RowTimes
    values: Mapping[str, Values]

    @classmethod
    def joined(cls, parts: Sequence["PieceHistory"]) -> "PieceHistory":
        """Put parts together that have the same columns."""
        entities = [each.rows.entities for each in parts if each.rows.entities is not None]
        rows = RowTimes(
            np.concatenate([each.rows.ticks for each in parts]), np.concatenate(entities) if entities else None
        )
        return cls(rows, {name: np.concatenate([each.values[name] for each in parts]) for name in parts[0].values})


def known_by_now(model: Model, state: ScenarioState) -> LagHistory | None:
    """Return what is known of columns whose lags are features, as the service has it; None where there are none.

    Raise Unavailable where the ledger cannot be read.
    """
    if model.schema.derived is None or not model.schema.derived.lags:
        return None
    ingested = known_values_path(state.home, state.scenario)
    return FeatureSource(model, ingested=ingested, ledger=state.ledger).known()


def read_history(scorer: Scorer, item: PieceToScore) -> PieceHistory:
    """Read what later rows, and those of other pieces, look up. Raise BadInput as `score_piece`."""
    schema = loaded(scorer).schema
    chunks = without_own_columns([item.piece.read()], schema, item.name, labelled=False)
    read = [
        later_values(schema, _checked(scorer, schema, chunk, is_text=item.is_text).accepted)
        for chunk in small_enough(chunks, schema)
    ]
    return PieceHistory.joined([PieceHistory(rows, values) for rows, values in read])


def score_piece(scorer: Scorer, item: PieceToScore) -> ScoredPiece:
    """Answer the rows of a piece. Raise BadInput where its columns are wrong or it cannot be read."""
    import pandas as pd

    model = loaded(scorer)
    chunks = without_own_columns([item.piece.read()], model.schema, item.name, labelled=False)
    history = LagHistory(model.schema, dict(scorer.known))
    history.add_series(item.reached)
    done = [
        _scored(scorer, model, chunk, history, is_text=item.is_text) for chunk in small_enough(chunks, model.schema)
    ]
    if len(done) == 1:
        return done[0]
    problems, before = list[Problem](), 0
    for each in done:
        problems += [Problem(before + (p.row or 0), p.column, p.reason, p.value) for p in each.problems]
        before += len(each.rejected.frame)
    rejected = Chunk(
        pd.concat([each.rejected.frame for each in done], ignore_index=True),
        np.concatenate([each.rejected.rows for each in done]),
        tuple(line for each in done for line in each.rejected.lines),
    )
    answers = pd.concat([each.answers for each in done], ignore_index=True)
    unknown = sum((each.unknown for each in done), Counter[str]())
    return ScoredPiece(answers, tuple(r for each in done for r in each.requests), rejected, tuple(problems), unknown)


def _checked(scorer: Scorer, schema: Schema, chunk: Chunk, *, is_text: bool) -> Checked:
    cells = read_cells(chunk.frame, schema, CellFormats.of(scorer.ingest), is_text=is_text).frame
    return check_frame(schema, read_images(cells, schema, scorer.images), labelled=False)


def _scored(scorer: Scorer, model: Model, chunk: Chunk, history: LagHistory, *, is_text: bool) -> ScoredPiece:
    schema, checked = model.schema, _checked(scorer, model.schema, chunk, is_text=is_text)
    problems, accepted = list(checked.problems), _completed(schema, checked.accepted, chunk, history)
    places = np.delete(np.arange(len(chunk.frame)), checked.rejected_rows)
    answers, lost = _answers(model, accepted)
    if lost:
        problems += [Problem(int(places[row]), ANSWERED, TOO_LARGE) for row in lost]
        places, accepted = np.delete(places, lost), accepted.drop(index=lost).reset_index(drop=True)
        answers, _ = _answers(model, accepted)
    frame = _named(schema, chunk, places, answers)
    held = [name for name in schema.by_name if name in chunk.frame or name in schema.derived_names]
    requests = tuple(_requests(schema, accepted, answers, held)) if scorer.ledger else ()
    rejected = np.setdiff1d(np.arange(len(chunk.frame)), places)
    among = {int(place): at for at, place in enumerate(rejected)}
    return ScoredPiece(
        frame,
        requests,
        Chunk(chunk.frame.iloc[rejected].reset_index(drop=True), chunk.rows[rejected], chunk.lines),
        tuple(Problem(among[p.row], p.column, p.reason, p.value) for p in problems if p.row is not None),
        _unknown_lags(schema, accepted),
    )


def _unknown_lags(schema: Schema, answered: "pd.DataFrame") -> Counter[str]:
    lags = schema.derived.lags if schema.derived else ()
    return Counter({lag.name: int((answered[lag.name].isna() | (answered[lag.name] == "")).sum()) for lag in lags})


def _completed(schema: Schema, accepted: "pd.DataFrame", chunk: Chunk, history: LagHistory) -> "pd.DataFrame":
    """Add the features that nobody sends; what the file brings counts instead."""
    sent = [name for name in schema.derived_names if name in chunk.frame]
    return with_columns(complete_later_frame(schema, accepted, history), {name: accepted[name] for name in sent})


@dataclass(frozen=True)
class _Answers:
    """As the ledger holds them."""

    labels: Sequence[Any]
    probabilities: NDArray[np.float64] | None
    intervals: Sequence[Sequence[float]] | None
    decided: Decided | None


def _answers(model: Model, accepted: "pd.DataFrame") -> tuple[_Answers, list[int]]:
    """Answer checked rows; with the places of those that have no answer, which makes the answers worthless."""
    if not len(accepted):
        classes, intervals = len(model.schema.target.classes), model.description.intervals
        nothing = Decided([], [], []) if model.description.decision else None
        return _Answers([], np.empty((0, classes)) if classes else None, [] if intervals else None, nothing), []
    output = model.answer(arrays_of_frame(model.schema, accepted))
    if lost := unanswered(output):
        return _Answers([], None, None, None), lost
    probabilities = None if output.probabilities is None else rounded(output.probabilities)
    decided = model.decide(output, cells_of(accepted))
    return _Answers(output.labels, probabilities, model.intervals(output), decided), []


def _named(schema: Schema, chunk: Chunk, places: NDArray[np.intp], answers: _Answers) -> "pd.DataFrame":
    """Make the output's rows: what names each, and the answer in the words of the service."""
    import pandas as pd

    columns: dict[str, Any] = {ROW: chunk.rows[places]}
    if schema.id is not None and (name := id_column(schema)):
        if schema.id in chunk.frame:
            ids = chunk.frame[schema.id].iloc[places].reset_index(drop=True)
            columns[name] = ids if ids.dtype.kind in "iuM" else ids.map(str, na_action="ignore").astype("str")
        else:
            columns[name] = pd.Series([None] * len(places), dtype="str")
    if answers.probabilities is None:
        columns[VALUE] = np.array(sent_numbers(answers.labels), dtype=np.float64)
        if answers.intervals is not None:
            limits = np.array(answers.intervals, dtype=np.float64).reshape(-1, 2)
            columns |= {LOW: limits[:, 0], HIGH: limits[:, 1]}
        return pd.DataFrame(columns | _decided(answers.decided))
    is_text = not schema.target.is_number
    columns[LABEL] = pd.Series(answers.labels, dtype="str" if is_text else "int64")
    columns[PROBABILITY] = answers.probabilities.max(axis=1, initial=0.0)
    columns |= dict(zip(class_columns(schema), answers.probabilities.T, strict=True))
    return pd.DataFrame(columns | _decided(answers.decided))


def _decided(decided: Decided | None) -> dict[str, Any]:
    """Return the columns of decisions. One column is of one type: a number that is decided is written as a text."""
    import pandas as pd

    if decided is None:
        return {}
    return {
        DECISION: pd.Series([str(each) for each in decided.decisions], dtype="str"),
        EXPECTED_COST: np.array(decided.expected_costs, dtype=np.float64),
        RULE: pd.Series(decided.rules, dtype="str"),
    }


def _requests(
    schema: Schema, accepted: "pd.DataFrame", answers: _Answers, held: Sequence[str]
) -> Iterator[LedgerRequest]:
    rows = rows_of_frame(schema, accepted, names=held)
    probabilities = None if answers.probabilities is None else answers.probabilities.tolist()
    for start in range(0, len(rows), ROWS_PER_REQUEST):
        part = slice(start, start + ROWS_PER_REQUEST)
        yield LedgerRequest(
            rows[part],
            answers.labels[part],
            None if probabilities is None else probabilities[part],
            None if answers.intervals is None else answers.intervals[part],
            answers.decided and answers.decided.take(part),
        )


_models: dict[tuple[str, Path], Model] = {}  # of this process; the last one, as a cluster's worker lives for months


def loaded(scorer: Scorer) -> Model:
    """Return the model, which a process loads once for all its pieces."""
    key = (scorer.tag, scorer.folder)
    if (known := _models.get(key)) is not None:
        return known
    with tempfile.TemporaryDirectory() as folder:
        for name, content in scorer.files.items():
            place = Path(folder) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        model = model_runtime.load(Path(folder) if scorer.files else scorer.folder, tag=scorer.tag)
    _models.clear()
    _models[key] = model
    return model
