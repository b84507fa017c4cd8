"""The answers: from a request's bytes to what is sent back, for the release that serves at that moment."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from releve.adapters.models.model_runtime import ModelOutput
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.adapters.vectors.vector_index import IndexUnavailable, VectorIndex
from releve.core.errors import ReleveError
from releve.core.params import ServiceLimits
from releve.domain.prediction_log.records import UnknownAnswer
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.cells import format_value
from releve.domain.schema.target import Label
from releve.domain.schema.validation import Problem
from releve.serving import requests
from releve.serving.releases import Served
from releve.serving.responses import Refused, new_request_id

MAX_NEIGHBOURS = 100  # of one search
DECIMALS = 6  # of a probability
DIGITS = 6  # of a number: what an answer in float32 holds for sure; the ledger keeps it whole


Answer = dict[str, object]  # to be sent as JSON; `releve.serving.openapi` describes each


class UnknownRows(UnknownAnswer):
    """Feedback for rows that were never answered: one problem per such row."""

    def __init__(self, message: str, ids: Iterable[str], problems: Sequence[Problem]) -> None:
        super().__init__(message, ids)
        self.problems = tuple(problems)


class ReleaseProvider(Protocol):
    """Says which release serves now."""

    @property
    def scenario(self) -> str: ...

    @property
    def served(self) -> Served | None: ...

    @property
    def registry_reachable(self) -> bool | None: ...

    @property
    def withdrawals(self) -> int: ...

    def served_now(self) -> Served: ...


class Endpoints:
    """Safe to call from several threads: each call reads `releases.served` once and stays with it."""

    def __init__(
        self, *, releases: ReleaseProvider, index: VectorIndex | None, ledger: LedgerWriter, limits: ServiceLimits
    ) -> None:
        self._releases = releases
        self._index = index
        self._ledger = ledger
        self._limits = limits
        self._rows_answered = Counter[int]()  # by how often a release was withdrawn before: an archive starts over

    @property
    def ready(self) -> bool:
        """Whether there is a release to answer with."""
        return self._releases.served is not None

    def predict(self, body: bytes) -> Answer:
        """One prediction per row, in the ledger before it is returned. Raises ReleveError."""
        served = self._releases.served_now()
        model = served.model
        rows = requests.rows_of(body, model.schema, max_rows=self._limits.max_rows)
        output = model.answer(arrays_of_rows(model.schema, rows))
        check_answered(output)
        probabilities: list[list[float]] | None = None
        if output.probabilities is not None:
            probabilities = output.probabilities.astype(np.float64).round(DECIMALS).tolist()
        request_id = self._ledger.answer(
            model=model.tag, index=served.index, rows=rows, labels=output.labels, probabilities=probabilities
        )
        self._rows_answered[self._releases.withdrawals] += len(rows)
        classes = [str(label) for label in model.schema.target.classes]
        return {
            "request_id": request_id,
            "scenario": self._releases.scenario,
            "model_version": model.tag,
            "index_version": served.index,
            "naive": served.is_naive,
            "predictions": [
                {"id": f"{request_id}.{position}", **prediction}
                for position, prediction in enumerate(_predictions(output.labels, probabilities, classes))
            ],
        }

    def search(self, body: bytes) -> Answer:
        """Rows of the training data near a row or a vector, in the ledger before they are returned.

        Raises ReleveError, IndexUnavailable among them.
        """
        served = self._releases.served_now()
        model = served.model
        question = requests.search_of(
            body, model.schema, dimension=model.embedder.dimension, max_neighbours=MAX_NEIGHBOURS
        )
        if self._index is None or served.index is None:
            raise IndexUnavailable(
                f"{model.tag} is served by itself, without an index; ask a service that follows the registry"
            )
        vector = question.vector
        if question.row is not None:
            vector = model.embedder.embed(arrays_of_rows(model.schema, [question.row]))[0]
        label = None if question.label is None else str(question.label)
        hits = self._index.search(served.index, vector, limit=question.limit, label=label)[0]
        classes = [model.schema.target.parse(hit.label) for hit in hits]
        neighbours = [
            {
                "label": hit.label if of_class is None else of_class,
                "distance": hit.distance,
                "batch": hit.batch,
                "row": hit.row,
                "row_id": hit.row_id or None,
            }
            for hit, of_class in zip(hits, classes, strict=True)
        ]
        request_id = self._ledger.search(model=model.tag, index=served.index, question=question, neighbours=neighbours)
        return {
            "request_id": request_id,
            "scenario": self._releases.scenario,
            "model_version": model.tag,
            "index_version": served.index,
            "neighbours": neighbours,
        }

    def feedback(self, body: bytes) -> Answer:
        """Write the labels of answered rows, all or none. Raises UnknownRows, Refused, other ReleveErrors."""
        schema = self._releases.served_now().model.schema
        pairs = requests.labels_of(body, schema, max_rows=self._limits.max_rows)
        try:
            self._ledger.label(pairs)
        except UnknownAnswer as error:
            problems = [
                Problem(at, "id", f"{format_value(row_id)} belongs to no answer of this service")
                for at, (row_id, _) in enumerate(pairs)
                if row_id in error.ids
            ]
            others = f", nor do {len(problems) - 1} others of {len(pairs)}" if problems[1:] else ""
            message = f"id {problems[0].reason}{others}; nothing was written"
            raise UnknownRows(message, error.ids, problems) from None
        return {"request_id": new_request_id(), "accepted": len(pairs)}

    def status(self) -> Answer:
        """Say what serves, and what can be reached; never an error."""
        served, index_reachable = self._releases.served, None
        if self._index is not None and served is not None and served.index is not None:
            try:
                index_reachable = self._index.exists(served.index)
            except ReleveError:
                index_reachable = False
        return {
            "scenario": self._releases.scenario,
            "release": served.release.model_dump(mode="json") if served and served.release else None,
            "model_version": served.model.tag if served else None,
            "since": served.since if served else None,
            "naive": served.is_naive if served else None,
            "registry_reachable": self._releases.registry_reachable,
            "index_reachable": index_reachable,
            "rows_answered": self._rows_answered[self._releases.withdrawals],
        }


def check_answered(output: ModelOutput) -> None:
    """Raise Refused for rows whose answer is not finite: a number too large for the model."""
    answers = np.array(output.labels)[:, None] if output.probabilities is None else output.probabilities
    if np.isfinite(answers).all():
        return
    rows = np.flatnonzero(~np.isfinite(answers).all(axis=1)).tolist()
    problems = [Problem(row, None, "has a number that is too large for the model (float32)") for row in rows]
    raise Refused(f"row {rows[0]}: {problems[0].reason}", problems)


def _predictions(
    labels: Sequence[Label], probabilities: list[list[float]] | None, classes: Sequence[str]
) -> list[Answer]:
    """Per row its value, or its class with the probability of every class."""
    if probabilities is None:
        return [{"value": float(f"{value:.{DIGITS}g}")} for value in labels]
    return [
        {"label": label, "probability": max(of_row), "probabilities": dict(zip(classes, of_row, strict=True))}
        for label, of_row in zip(labels, probabilities, strict=True)
    ]
