"""Relève from Python, for notebooks and scripts: the words of the command line, and frames where people read tables.

Everything runs in this process and needs no Prefect server. `project` is the git checkout; left out, RELEVE_PROJECT or
the current folder. Errors that a person can fix derive from `releve.core.errors.ReleveError`, with one sentence.
"""

import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.adapters.git_dvc.committed import begin_run, read_committed
from releve.adapters.git_dvc.data_history import DataHistory, DataVersion
from releve.core.errors import BadInput, NotFound
from releve.core.settings import Settings
from releve.domain.drift.verdict import DriftVerdict
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import Interval
from releve.domain.registry.events import Challenger
from releve.domain.registry.release import Release
from releve.domain.schema.schema import BATCH, Schema
from releve.domain.trigger.monitoring_run import MonitoringRun

if TYPE_CHECKING:
    import pandas as pd

    from releve.adapters.git_dvc.experiments import Experiment
    from tasks.ingestion.ingest import Ingestion

__all__ = [
    "Challenger",
    "DataVersion",
    "DriftVerdict",
    "MonitoringRun",
    "Release",
    "Schema",
    "card",
    "challenge",
    "compare_versions",
    "current",
    "experiment",
    "experiments",
    "ingest",
    "list_versions",
    "monitor",
    "predict",
    "read_schema",
    "read_version",
    "release",
    "retrain",
    "rollback",
    "search",
]

Project = Path | str | None
BY_HAND = "from Python"
EXPERIMENT_COLUMNS = (
    *("name", "differs", "metric", "score", "gain", "gain_low", "gain_high", "rows"),
    *("cpu_seconds", "by", "at", "accepted", "outdated"),
)


def ingest(scenario: str, rows: "pd.DataFrame | None" = None, *, project: Project = None) -> "Ingestion":
    """Version `rows`, with their labels, and what waits in the incoming folder; rows in = accepted + rejected.

    >>> done = ingest("shop", read_version("shop").head(100).drop(columns=["_batch", "_row"]))
    >>> [(batch.rows, batch.rejected) for batch in done.batches]
    [(100, 0)]

    Raises BadInput for a table that fits the scenario in nothing, ScenarioBusy, RemoteUnavailable.
    """
    from releve.adapters.files import write_parquet
    from tasks.ingestion.ingest import ingest as run
    from tasks.places import ScenarioState

    settings = _begin(project, scenario)
    if rows is not None:
        path = ScenarioState(settings.home, scenario).incoming / f"rows-{uuid.uuid4().hex[:8]}.parquet"
        try:
            write_parquet(path, rows)
        except (ValueError, TypeError, NotImplementedError, OverflowError) as error:  # Arrow's; its words quote cells
            raise BadInput(
                f"the rows cannot be written as Parquet ({type(error).__name__}); give each column a name of its own, "
                "and cells of one type, as by rows.astype or rows.convert_dtypes"
            ) from None
    return run(settings, scenario, actor=BY_HAND)


def monitor(scenario: str, *, project: Project = None) -> MonitoringRun:
    """Compare new answers with what the champion learned from, and decide what is due.

    >>> monitor("shop").decision.refresh
    False
    """
    from tasks.monitoring.monitor import monitor as run

    return run(_begin(project, scenario), scenario, actor=BY_HAND)


def retrain(scenario: str, *, reason: str = BY_HAND, search: bool = False, project: Project = None) -> Challenger:
    """Build a challenger from all ingested rows, and let the gate judge it; `release` releases it.

    >>> retrain("shop").promote
    True

    Raises BadInput where nothing is left to judge on, PipelineFailed, ScenarioBusy.
    """
    from tasks.retraining.retrain import retrain as run

    return run(_begin(project, scenario), scenario, reason=reason, search=BY_HAND if search else "", actor=BY_HAND)


def release(scenario: str, *, model: str | None = None, project: Project = None) -> Release:
    """Release the challenger that was judged last, or the one named.

    >>> release("shop").rows
    200

    Raises NotAccepted where the gate refused it, NotApproved where people have to be asked, IndexUnavailable.
    """
    from tasks.release.release import release as run

    return run(_begin(project, scenario), scenario, model=model, actor=BY_HAND).release


def rollback(scenario: str, *, reason: str = BY_HAND, project: Project = None) -> Release:
    """Go back to the release before.

    >>> rollback("shop")
    Traceback (most recent call last):
    releve.adapters.registry.rollback.NothingToRollBackTo: ...
    """
    from tasks.release.rollback import rollback as run

    return run(_begin(project, scenario), scenario, reason=reason, actor=BY_HAND).release


def current(scenario: str, *, project: Project = None) -> Release | None:
    """Return the release that serves now; None where none does.

    >>> current("shop").scenario
    'shop'
    """
    from releve.adapters.registry.registry import Registry

    serving = Registry(_begin(project, scenario).registry_url).current(scenario)
    return serving.release if serving else None


def card(model: str, *, project: Project = None) -> str:
    """Return the model card as Markdown.

    >>> current("shop").model in card(current("shop").model)
    True
    """
    from releve.reporting.markdown import render_markdown
    from tasks.reporting.model_card import card_of

    return render_markdown(card_of(_settings(project), model))


def experiment(
    scenario: str,
    changes: Mapping[str, Any],
    *,
    search: bool = False,
    dask: bool = False,
    project: Project = None,
) -> "Experiment":
    """Run the pipeline with other settings, aside; nothing of yours and nothing that serves changes.

    >>> tried = experiment("shop", {"train.recipe": "extra_trees", "train.options": {"n_estimators": 20}})
    >>> tried.evaluation.champion.gain.low > 0
    True

    Raises BadInput for a setting that is unknown, wrong or read by no stage, PipelineFailed, Unavailable.
    """
    from tasks.experiment.experiment import experiment as run

    return run(_begin(project, scenario), scenario, changes=changes, search=search, dask=dask)


def experiments(scenario: str, *, project: Project = None) -> "pd.DataFrame":
    """List the champion and every experiment, one row each: what differs, score, paired gain, cost, by whom and when.

    >>> list(experiments("shop").columns)[:6]
    ['name', 'differs', 'metric', 'score', 'gain', 'gain_low']
    """
    import pandas as pd

    from tasks.experiment.experiments import experiments as run

    found, rows = run(_begin(project, scenario), scenario), list[dict[str, Any]]()

    def add(name: str, differs: Mapping[str, Any], judged: Evaluation, gain: Interval | None, **more: Any) -> None:
        interval = asdict(gain) if gain else dict.fromkeys(("value", "low", "high"))
        scores = {"metric": judged.metric, "score": judged.score.value, "gain": interval.pop("value")}
        gains = {f"gain_{end}": value for end, value in interval.items()}
        rows.append({"name": name, "differs": differs} | scores | gains | {"rows": judged.holdout_rows} | more)

    if champion := found.champion:
        made = champion.challenger
        cost = made.cpu_seconds
        add(made.model, {}, made.evaluation, None, cpu_seconds=cost, by=champion.by, at=champion.at, accepted=True)
    for each in found.experiments:
        tried, record = each.experiment, each.experiment.record
        add(
            tried.name,
            {key: mine for key, (mine, _) in each.differs.items()},
            tried.evaluation,
            tried.evaluation.champion.gain if tried.evaluation.champion else None,
            cpu_seconds=record.cpu_seconds,
            by=record.by,
            at=record.at,
            accepted=each.verdict,
            outdated=each.outdated,
        )
    return pd.DataFrame(rows, columns=[*EXPERIMENT_COLUMNS])


def challenge(name: str, *, reason: str = "", project: Project = None) -> Challenger:
    """Send an experiment to the gate, as it is: nothing is trained again. `release` releases it once it is accepted.

    >>> challenge(tried.name).promote
    True

    Raises NotFound, ExperimentOutdated where the gate would judge something else today, PipelineFailed.
    """
    from tasks.experiment.challenge import challenge as run
    from tasks.experiment.challenge import find_experiment

    scenario = find_experiment(_settings(project), name).record.scenario
    return run(_begin(project, scenario), name, reason=reason, actor=BY_HAND)


def predict(
    scenario: str, rows: "pd.DataFrame | Iterable[Mapping[str, Any]]", *, project: Project = None
) -> "pd.DataFrame":
    """Answer rows by the model that serves, as the service would; nothing is written down.

    Columns that are no feature are passed over. The answers are in the order of the rows: `label`, `probability` and
    one column for each class, or `value`, with `low` and `high` where the model has intervals.

    >>> answers = predict("shop", [{"price": 20.0, "weight": 1.5, "kind": "bread"}])
    >>> len(answers), "probability" in answers
    (1, True)

    Raises NotFound where nothing serves, BadInput for rows that do not fit the schema, ModelAltered.
    """
    from dataclasses import replace

    import numpy as np
    import pandas as pd

    from releve.adapters.models.model_runtime import check_digest
    from releve.adapters.models.model_store import ModelStore
    from releve.adapters.tables.chunks import Chunk
    from releve.domain.schema.schema import ROW
    from tasks.places import ScenarioState
    from tasks.scoring.answers import PieceToScore, Scorer, known_by_now, loaded, read_history, score_piece

    frame = (rows if isinstance(rows, pd.DataFrame) else pd.DataFrame([*map(dict, rows)])).reset_index(drop=True)
    settings = _begin(project, scenario)
    ingest, serving = read_committed(settings, scenario).params.ingest, _serving(settings, scenario)
    folder = ModelStore(settings.home).folder(serving.model)
    check_digest(folder, tag=serving.model, digest=serving.model_digest)
    state = ScenarioState(settings.home, scenario)
    scorer = Scorer(serving.model, folder, {}, ingest, settings.home / (ingest.images or state.images), ledger=False)
    piece = PieceToScore(0, "the rows", Chunk(frame, np.arange(1, len(frame) + 1)), is_text=False, place=0)
    if (known := known_by_now(loaded(scorer), state)) is not None:
        history, own = known.copy(), read_history(scorer, piece)
        history.add(own.rows, own.values)
        scorer = replace(scorer, known=history.series)
    done = score_piece(scorer, piece)
    if done.problems:
        first = done.problems[0]
        raise BadInput(
            f"{len(done.rejected.frame)} of {len(frame)} rows do not fit {scenario}; the first: row "
            f"{done.rejected.rows[first.row or 0] - 1}, {first.column}: {first.reason}"
        )
    return done.answers.drop(columns=[ROW], errors="ignore")


def search(scenario: str, row: Mapping[str, Any], *, limit: int = 10, project: Project = None) -> "pd.DataFrame":
    """Find the labelled rows nearest to a row, the nearest first: `label`, `distance`, `batch`, `row`, `row_id`.

    A personal id is left out.

    >>> search("shop", {"price": 20.0, "weight": 1.5, "kind": "bread"}, limit=3).columns.tolist()
    ['label', 'distance', 'batch', 'row', 'row_id']

    Raises NotFound where nothing serves, BadInput, IndexUnavailable where no Milvus answers (RELEVE_MILVUS_URI).
    """
    from contextlib import closing

    import pandas as pd

    from releve.adapters.models.model_store import ModelStore
    from releve.adapters.vectors.vector_index import VectorIndex
    from releve.domain.schema.arrays import arrays_of_frame
    from releve.domain.schema.validation import check_frame

    settings = _begin(project, scenario)
    serving = _serving(settings, scenario)
    model = ModelStore(settings.home).load(serving.model, digest=serving.model_digest)
    if missing := [name for name in model.schema.names if name not in row]:
        raise BadInput(f"the row has no {', '.join(missing)}; expected every feature of {scenario}")
    checked = check_frame(model.schema, pd.DataFrame([dict(row)]).astype(object), labelled=False)
    if checked.problems:
        raise BadInput(f"the row does not fit {scenario}: {checked.problems[0].column}: {checked.problems[0].reason}")
    [vector] = model.embedder.embed(arrays_of_frame(model.schema, checked.accepted))
    with closing(VectorIndex(settings.milvus_uri, settings.milvus_token)) as index:
        [hits] = index.search(serving.index, vector, limit=limit, version=serving.index_version)
    columns = ["label", "distance", "batch", "row", "row_id"]
    found = pd.DataFrame([[getattr(hit, name) for name in columns] for hit in hits], columns=columns)
    return found.assign(row_id=None) if model.schema.id in model.schema.personal else found


def list_versions(scenario: str, *, project: Project = None) -> list[DataVersion]:
    """Every data version of a scenario, oldest first: batch, rows, content hash, commit, time.

    >>> [version.rows for version in list_versions("shop")]
    [100, 200]
    """
    return _history(scenario, project).versions()


def read_version(scenario: str, version: str | None = None, *, project: Project = None) -> "pd.DataFrame":
    """All rows up to a version, oldest first, with `_batch` and `_row`: where each row came from.

    `version` is a batch, a data version (or the beginning of either), or any git revision; left out, the newest.
    Comes from DVC's cache, or from the remote where the cache does not have it; every file is checked against its
    hash. Raises NotFound, BadInput, RemoteUnavailable.

    >>> read_version("shop", list_versions("shop")[0].batch).shape
    (100, 6)
    """
    history = _history(scenario, project)
    return history.read(history.find(version))


def read_schema(scenario: str, version: str | None = None, *, project: Project = None) -> Schema:
    """The feature schema as it was at a version.

    >>> read_schema("shop").names
    ['price', 'weight', 'kind']
    """
    history = _history(scenario, project)
    return history.schema(history.find(version))


def compare_versions(scenario: str, before: str, after: str | None = None, *, project: Project = None) -> DriftVerdict:
    """Compare the rows that came after the version `before`, up to `after`, with those up to `before`: has anything
    drifted? By the functions of `monitor`, and its settings.

    >>> compare_versions("shop", list_versions("shop")[0].batch).state.value
    'insufficient data'
    """
    from releve.domain.drift.verdict import compare

    settings, history = _begin(project, scenario), _history(scenario, project)
    params, schema = read_committed(settings, scenario).params, read_schema(scenario, after, project=project)
    known, rows = history.read(history.find(before)), history.read(history.find(after))
    newer = rows[~rows[BATCH].isin(known[BATCH].unique())]
    return compare(known, newer, schema, params.monitor, max_missing_rise=params.batch.max_missing_rise).verdict


def _settings(project: Project) -> Settings:
    named = {} if project is None else {"RELEVE_PROJECT": str(Path(project).resolve())}
    return Settings.from_environ({**os.environ, **named}, cwd=Path.cwd())


def _begin(project: Project, scenario: str) -> Settings:
    """Fix the commit that a call goes by, from its first step to its last."""
    return begin_run(_settings(project), scenario, tell=lambda line: None)


def _serving(settings: Settings, scenario: str) -> Release:
    from releve.adapters.registry.registry import Registry

    serving = Registry(settings.registry_url).current(scenario)
    if serving is None:
        raise NotFound(f"no release of {scenario} serves; call retrain and release first")
    return serving.release


def _history(scenario: str, project: Project) -> DataHistory:
    settings = _settings(project)
    return DataHistory(settings.project, scenario, remote=read_committed(settings, scenario).params.data)
