"""One served scenario: the release that answers now, and the three questions that it answers."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.adapters.registry.registry import Current
from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import BadInput, ReleveError, Unavailable
from releve.domain.arms.arms import Arm
from releve.domain.decision.policy import Decided
from releve.domain.features.completion import sent_rows
from releve.domain.neighbours.embedding import Arrays
from releve.domain.neighbours.filters import Condition
from releve.domain.neighbours.index_design import DistanceMetric
from releve.domain.neighbours.vectors import BATCH, Neighbour
from releve.domain.prediction_log.records import Row
from releve.domain.registry.release import Release
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.cells import format_value
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import Label
from releve.serving.arms.trial import LiveTrial
from releve.serving.edge.metrics import Metrics
from releve.serving.feedback import write_labels
from releve.serving.pools import CallPool
from releve.serving.prediction import predict, sent_numbers
from releve.serving.requests import check_rows
from releve.serving.routes import Runs
from releve.serving.scenarios.features import FeatureSource
from releve.serving.search_questions import SearchQuestion, arrays_near, images_near
from releve.serving.served import Served


class NoRelease(Unavailable):
    """Nothing is released yet, or it was withdrawn."""

    code = "no_release"


class NotLoaded(Exception):
    """The model is not in memory. Wait for `load()`, which raises what forbids it, then ask inside `kept()`."""

    def __init__(self, load: Callable[[], "Future[None]"], kept: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__("the model is not in memory")
        self.load = load
        self.kept = kept


@dataclass(frozen=True, slots=True)
class ScenarioAnswers:
    """One prediction per row, as the ledger holds it."""

    id: str  # of the ledger's line; row n is f"{id}.{n}"
    served: Served  # who answered
    labels: Sequence[Label]  # classes, or numbers of a regression
    probabilities: Sequence[Sequence[float]] | None  # per row, of every class of the target in its order
    intervals: Sequence[Sequence[float]] | None  # per row, of a regression whose model has some
    decided: Decided | None = None  # of a model with costs

    @property
    def model(self) -> str:
        """The version, as a tag."""
        return self.served.model.tag

    @property
    def index(self) -> str | None:
        """The index that was released with it."""
        return self.served.index

    @property
    def arm(self) -> Arm:
        """In whose place it answered."""
        return self.served.arm

    @property
    def row_ids(self) -> list[str]:
        """What /feedback calls each row."""
        return [f"{self.id}.{position}" for position in range(len(self.labels))]

    @property
    def sent(self) -> Sequence[Label]:
        """What a client is told of each row: its class, or its number in DIGITS."""
        return self.labels if self.probabilities is not None else sent_numbers(self.labels)


@dataclass(frozen=True, slots=True)
class Found:
    """Neighbours, nearest first, as the ledger holds them."""

    id: str
    model: str
    index: str
    arm: str
    metric: DistanceMetric  # of the distances
    neighbours: Sequence[dict[str, object]]
    collection: str  # of Milvus
    ids: Sequence[int]  # of the neighbours, in it


class Scenario:
    """Safe to call from several threads. `current` and `served` are set by those who watch the registry and load."""

    def __init__(
        self,
        name: str,
        *,
        load: Callable[["Scenario"], "Future[None]"],
        ledger: LedgerWriter,
        index: VectorIndex | None,
        metrics: Metrics,
        ingested: Path,
    ) -> None:
        """`ingested`: the file with what was ingested of the columns whose lags are features."""
        self.name = name
        self._metrics = metrics
        self.current: Current | None = None  # what the registry says
        self.served: Served | None = None  # what answers: it may be older while the newest cannot be loaded
        self.trial: LiveTrial | None = None  # the challenger that takes part beside it
        self.ledger = ledger
        self.index = index
        self.rows_answered = 0  # by this worker since it started, or since a release was withdrawn
        self.used = 0.0  # when it was asked last, as time.monotonic says it
        self.let_go = False  # its model was, by the budget: a request brings it back
        self.waiting = 0  # requests that wait for a load, or are answered after one
        self.swapping = threading.Lock()
        self._load = load
        self._ingested = ingested
        self._sources: dict[str, FeatureSource] = {}  # by the model that is asked

    @property
    def released(self) -> bool:
        """Whether a request can be answered, be it after loading."""
        return self.current is not None or self.served is not None

    @property
    def wants_challenger(self) -> bool:
        """Whether it is time to load the challenger beside what is in memory."""
        return self.trial is not None and self.served is not None and self.trial.is_due()

    @property
    def challenger_size(self) -> int:
        """Bytes in memory of the challenger, 0 without one."""
        return self.trial.size if self.trial else 0

    def served_now(self) -> Served:
        """What answers, for as long as the caller keeps it. Raises NotLoaded."""
        self.used = time.monotonic()
        served = self.served
        if served is None:
            raise NotLoaded(lambda: self._load(self), self._kept)
        return served

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Stay in memory, whatever the budget says, from a load until the request that waited for it is answered."""
        with self.swapping:
            self.waiting += 1
        try:
            yield
        finally:
            with self.swapping:
                self.waiting -= 1

    def checked(self, served: Served, rows: Sequence[Any]) -> tuple[Sequence[Row], Arrays]:
        """Return rows with the features that nobody sends, and as arrays. Raises Refused, TooLarge, Unavailable."""
        rows = self.completed(served, rows)
        return rows, check_rows(rows, served.schema)

    def completed(self, served: Served, rows: Sequence[Any]) -> Sequence[Any]:
        """Add the features that nobody sends; the same rows where the model knows none. Raises Unavailable."""
        return rows if served.schema.derived is None else self._source_of(served).complete(rows)

    def prepare(self, served: Served) -> None:
        """Read what lags of a model are looked up in, before a request waits for it."""
        if served.schema.derived is not None:
            with suppress(Unavailable):  # whoever asks is told
                self._source_of(served).follow()

    def follow(self) -> None:
        """Take in what was ingested and written since, of the models that may be asked. May take long."""
        asked = self._tags()
        for tag, source in list(self._sources.items()):
            if tag in asked:
                with suppress(Unavailable):
                    source.follow()

    def _source_of(self, served: Served) -> FeatureSource:
        source = self._sources.get(served.model.tag)
        if source is None:
            source = FeatureSource(served.model, ingested=self._ingested, ledger=self.ledger.folder)
            asked = {tag: each for tag, each in self._sources.items() if tag in self._tags()}
            self._sources = asked | {served.model.tag: source}
        return source

    def completed_question(self, served: Served, question: SearchQuestion) -> SearchQuestion:
        """Add the features that nobody sends to the row that is asked with. Raises Unavailable."""
        if question.row is None or served.schema.derived is None:
            return question
        [row] = self.completed(served, [question.row])
        return replace(question, row=row)

    def _tags(self) -> set[str]:
        """The models that may be asked."""
        challenger = self.trial.challenger if self.trial else None
        return {each.model.tag for each in (self.served, challenger) if each is not None}

    def withdraw(self) -> None:
        """Answer no more: the registry has no release."""
        with self.swapping:
            self.current = self.served = self.trial = None
            self.rows_answered = 0
            self._metrics.withdrawn(self.name)

    def predict(
        self, served: Served, rows: Sequence[Row], arrays: Arrays | None = None, *, key: str | None = None
    ) -> ScenarioAnswers:
        """Answer rows that `checked` let pass, as it returns them; in the ledger before it returns. Raises ReleveError.

        `arrays`: what `checked` made of them; made again where left out. `key`: by which a challenger may answer in
        the place of `served`, "" where the request has none; None for `served` alone.
        """
        started = time.perf_counter()
        arrays = arrays_of_rows(served.schema, rows) if arrays is None else arrays
        trial, challenged = self._trial_of(served), None
        is_challengers = trial is not None and key is not None and trial.takes(served, key, rows)
        if trial is not None and is_challengers:
            challenged = trial.predict(served, rows, arrays, checked=self.checked)
        by, rows, found = challenged or (served, rows, predict(served.model, arrays, rows))
        line = self.ledger.answer(
            model=by.model.tag,
            index=by.index,
            arm=by.arm,
            rows=rows,
            labels=found.labels,
            probabilities=found.probabilities,
            intervals=found.intervals,
            decided=found.decided,
            latency_ms=found.latency_ms,
        )
        seconds = time.perf_counter() - started
        if trial is not None and is_challengers:
            trial.note_challenger(challenged)  # now: what the champion refused, too, was no fault of the challenger
        elif trial is not None:
            trial.seen.note_champion(seconds * 1000)
        self.rows_answered += len(rows)
        self._metrics.predicted(self.name, len(rows), seconds)
        return ScenarioAnswers(line, by, found.labels, found.probabilities, found.intervals, found.decided)

    async def search(
        self,
        served: Served,
        question: SearchQuestion,
        pools: Mapping[Runs, CallPool],
        arrays: Arrays | None = None,
        *,
        key: str | None = None,
    ) -> Found:
        """Find rows of the training data near what is asked.

        In the ledger before it returns. `arrays`: what `arrays_near` made of it; made again where left out. `key`:
        as of `predict`; the challenger's index is searched with it. Asks Milvus. Raises ReleveError, IndexUnavailable
        among them.
        """
        trial, rows = self._trial_of(served), [] if question.row is None else [question.row]
        challenger = None if trial is None else trial.challenger
        if trial is None or challenger is None or key is None or not trial.takes(served, key, rows):
            return await self._search(served, question, pools, arrays)
        if question.row is None and challenger.model.embedder.version != served.model.embedder.version:
            return await self._search(served, question, pools)  # the vector means nothing to the challenger
        try:
            found = await self._search(challenger, self._question_to(challenger, served, question), pools)
        except ReleveError:
            found = await self._search(served, question, pools, arrays)
        trial.seen.note_challenger(failed=found.arm is not challenger.arm)
        return found

    def _question_to(self, challenger: Served, champion: Served, question: SearchQuestion) -> SearchQuestion:
        """Ask a challenger, which may know other features, with what was sent."""
        if question.row is None or challenger.schema.derived == champion.schema.derived:
            return question
        [row] = sent_rows(champion.schema, [question.row])
        return self.completed_question(challenger, replace(question, row=row))

    async def _search(
        self, served: Served, question: SearchQuestion, pools: Mapping[Runs, CallPool], arrays: Arrays | None = None
    ) -> Found:
        model, release = served.model, served.release
        if self.index is None or release is None:
            raise IndexUnavailable(
                f"{model.tag} is served by itself, without an index; ask a service that follows the registry"
            )
        vector: Any = question.vector
        if vector is None:
            arrays = arrays_near(question, model.schema) if arrays is None else arrays
            assert arrays is not None, "there is no vector"
            embed = partial(model.embedder.embed, arrays, images_near(question, model.schema))
            is_long = model.embedder.texts or model.embedder.images  # a network takes 20 ms for a text
            [vector] = await pools[Runs.COMPUTE].run(embed) if is_long else embed()
        pool, collection = pools[Runs.INDEX], release.index
        asked: dict[str, Any] = {
            "limit": question.limit,
            "conditions": question.conditions,
            "version": release.index_version,
        }
        hits = await pool.run_here(self.index.search_async, collection, vector, **asked)
        if hits is None:
            [hits] = await pool.run(partial(self.index.search, collection, vector, **asked))
        if not hits and question.batch is not None:
            await pool.run(partial(self._check_batch, release, question.batch))
        neighbours = [_neighbour(hit, model.schema) for hit in hits]
        arm, index, ids = served.arm, release.index_name, [hit.id for hit in hits]
        line = self.ledger.search(
            model=model.tag,
            index=index,
            arm=arm,
            question=self._without_hidden_cells(question),
            neighbours=self._without_hidden_ids(neighbours, model.schema),
        )
        return Found(line, model.tag, index, arm, served.metric, neighbours, collection, ids)

    def _check_batch(self, release: Release, batch: str) -> None:
        """Raises BadInput for a batch that the index has no row of: that nothing was found says less."""
        assert self.index is not None, "it was searched"
        if not self.index.holds(release.index, (Condition(BATCH, batch),), version=release.index_version):
            raise BadInput(
                f"'filters': '{BATCH}' is {format_value(batch)}, and {release.index_name} has no row of it; send a "
                "batch as the neighbours name it, and as batches.csv does beside the file that it came from"
            )

    def _without_hidden_cells(self, question: SearchQuestion) -> SearchQuestion:
        """Make of a question what the ledger may hold of it."""
        hidden = self.ledger.hidden
        filters = tuple(each for each in question.filters if each.field not in hidden.names)
        row = None if question.row is None else hidden.hide([question.row])[0]
        return replace(question, row=row, filters=filters)

    def _without_hidden_ids(self, neighbours: list[dict[str, object]], schema: Schema) -> list[dict[str, object]]:
        """Leave out the table's own ids, which batch and row stand for, where they may not be in the ledger."""
        if schema.id not in self.ledger.hidden.names:
            return neighbours
        return [{**neighbour, "row_id": None} for neighbour in neighbours]

    def _trial_of(self, champion: Served) -> LiveTrial | None:
        """The challenger beside this champion: for a moment the registry may speak of another one."""
        trial = self.trial
        return trial if trial is not None and trial.running.started.champion == champion.model.tag else None

    def feedback(self, served: Served, pairs: Sequence[tuple[Any, Label]]) -> None:
        """Write the labels of answered rows: see `write_labels`."""
        write_labels(self.ledger, served.schema, pairs)


def _neighbour(hit: Neighbour, schema: Schema) -> dict[str, object]:
    of_class = schema.target.parse(hit.label)
    return {
        "label": hit.label if of_class is None else of_class,
        "distance": hit.distance,
        "batch": hit.batch,
        "row": hit.row,
        "row_id": None if schema.id in schema.personal else hit.row_id or None,
    }
