"""The file of answers whose label is asked for; `returned_labels` reads it once it is filled in."""

import csv
import io
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from releve.adapters.files import write_bytes
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.registry.registry import Registry
from releve.core.errors import BadInput, NotFound
from releve.core.settings import Settings
from releve.domain.arms.arms import Arm, RunningArms
from releve.domain.arms.label_queue import LabelQueue, QueuedRow, Selection, rows_to_label, selection_for
from releve.domain.evaluation.metrics import resolve
from releve.domain.ingestion.row_versions import ANSWER_ID
from releve.domain.prediction_log.records import parse_since, timestamp
from releve.domain.schema.schema import Schema
from tasks.places import ScenarioState

SELECTION = "_selection"  # column of the file: why its rows were chosen
ANSWERS = {Arm.CHAMPION: "_champion", Arm.CHALLENGER: "_challenger"}  # columns of the file, where they are asked for
SHUFFLED_BY = 7  # the order of the rows tells nothing of the arms


def write_queue(
    settings: Settings,
    scenario: str,
    *,
    path: Path | None = None,
    with_answers: bool = False,
    most: int | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> LabelQueue:
    """Write a CSV file of the rows that the comparison of the running arms needs labels of: `most`, the oldest.

    What was answered is hidden from who fills the file in, unless `with_answers`. Raises NotFound where no arms run,
    and BadInput where the file is there already: somebody may be at work on it.
    """
    truth, now = read_committed(settings, scenario), clock()
    state = ScenarioState(settings.home, scenario)
    arms = Registry(settings.registry_url).arms(scenario)
    if arms is None:
        raise NotFound(f"no challenger of {scenario} takes part in live traffic: `releve arms {scenario}` starts one")
    path = path or state.label_queue / f"{now:%Y%m%dT%H%M%SZ}.csv"
    if path.exists():
        raise BadInput(f"{path} is there already; send or remove it first")
    metric = resolve(truth.params.gate.metric, truth.schema.target.task)
    selection = selection_for(metric, is_shadow=arms.only_shadow)
    matured = timestamp(now - timedelta(hours=truth.params.arms.label_delay_hours))
    needed = sorted(_needed(state, arms, selection), key=lambda row: (row.at, row.id))
    old_enough = [row for row in needed if row.at <= matured]
    chosen = old_enough[:most]
    if chosen:
        text = _as_csv(chosen, truth.schema, selection, with_answers=with_answers)
        write_bytes(path, text.encode())
    more, waiting = len(old_enough) - len(chosen), len(needed) - len(old_enough)
    return LabelQueue(path if chosen else None, metric, selection, len(chosen), more, waiting)


def _needed(state: ScenarioState, arms: RunningArms, selection: Selection) -> Iterator[QueuedRow]:
    ledger, since = LedgerReader(state.ledger), parse_since(arms.since)
    models = {arms.started.champion, challenger := arms.started.challenger.model}
    shadows = {line.of: line for line in ledger.shadows(since=since, model=challenger)} if arms.only_shadow else None
    labelled = ledger.labels(with_queued=True)
    lines = ledger.requests(since=since)
    return rows_to_label(lines, shadows, selection=selection, models=models, labelled=labelled)


def _as_csv(rows: list[QueuedRow], schema: Schema, selection: Selection, *, with_answers: bool) -> str:
    random.Random(SHUFFLED_BY).shuffle(rows)
    features = list(dict.fromkeys([*schema.by_name, *(name for row in rows for name in row.features)]))
    answers = ANSWERS if with_answers else {}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([ANSWER_ID, SELECTION, *answers.values(), *features, schema.target.name])
    for row in rows:
        said = [row.answers.get(arm) for arm in answers]
        writer.writerow([row.id, selection, *said, *(row.features.get(name) for name in features), None])
    return text.getvalue()
