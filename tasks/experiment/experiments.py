"""List a scenario's experiments beside its champion."""

from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.experiments import Experiment, find_experiments
from releve.adapters.registry.registry import Registry
from releve.core.errors import BadInput
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.experiment.experiment import GateToday, differing, why_outdated
from releve.domain.registry.chain import CHALLENGED
from releve.domain.registry.events import Challenger
from tasks.experiment.challenge import describe_not_own, described_at, gate_today
from tasks.history import events_of


@dataclass(frozen=True)
class ListedExperiment:
    """An experiment beside what serves now."""

    experiment: Experiment
    differs: dict[str, tuple[Any, Any]]  # "section.key" -> its value, and the champion's, or what is committed
    outdated: str  # why the gate would not take it as it is; "" where it would
    verdict: bool | None  # of the gate; None where it was not asked


@dataclass(frozen=True)
class ListedChampion:
    """What serves, as it was judged, by whom and when."""

    challenger: Challenger
    by: str
    at: str


@dataclass(frozen=True)
class ExperimentList:
    """All experiments of a scenario, the newest first, and the champion; None where none serves."""

    champion: ListedChampion | None
    experiments: tuple[ListedExperiment, ...]


def experiments(settings: Settings, scenario: str, *, name: str = "*") -> ExperimentList:
    """Gather what DVC keeps of this scenario's experiments, or of the one of this name, and what became of them."""
    truth, registry = read_committed(settings, scenario), Registry(settings.registry_url)
    today, champion, verdicts = gate_today(settings, scenario, truth), None, dict[str, bool]()
    for event in events_of(registry, scenario, CHALLENGED):
        challenger = event.read(Challenger)
        verdicts[challenger.model_digest] = challenger.promote
        if challenger.model == today.champion:
            champion = ListedChampion(challenger, event.actor, event.at)
    theirs = truth.params
    if champion:
        with suppress(BadInput):  # written for an earlier version
            theirs, _ = described_at(settings, scenario, champion.challenger.revision)
    found = reversed(find_experiments(settings.project, scenario, name=name))
    return ExperimentList(champion, tuple(_listed(settings, each, theirs, today, verdicts) for each in found))


def _listed(
    settings: Settings, found: Experiment, theirs: Params, today: GateToday, verdicts: dict[str, bool]
) -> ListedExperiment:
    record = found.record
    try:
        mine, schema = described_at(settings, record.scenario, found.revision)
        differs, outdated = differing(mine, theirs), why_outdated(record, mine, schema, today)
    except BadInput as error:
        differs, outdated = {key: (value, None) for key, value in record.settings.items()}, str(error)
    if not found.is_own:
        outdated = describe_not_own(found)
    return ListedExperiment(found, differs, outdated, verdicts.get(record.model_digest))


def experiment_as_dict(listed: ListedExperiment) -> dict[str, Any]:
    """For `--json`: scores and gains have the keys of evaluation.json."""
    found, evaluation = listed.experiment, listed.experiment.evaluation
    return {
        "experiment": found.name,
        "revision": found.revision,
        **found.record.model_dump(mode="json", exclude={"format"}),
        "differs": {key: {"experiment": mine, "champion": theirs} for key, (mine, theirs) in listed.differs.items()},
        "metric": evaluation.metric,
        "holdout_rows": evaluation.holdout_rows,
        "score": asdict(evaluation.score),
        "champion_score": evaluation.champion.score if evaluation.champion else None,
        "gain": asdict(evaluation.champion.gain) if evaluation.champion else None,
        "outdated": listed.outdated,
        "accepted": listed.verdict,
    }


def champion_as_dict(champion: ListedChampion | None) -> dict[str, Any] | None:
    """For `--json`."""
    if champion is None:
        return None
    challenger = champion.challenger
    return {
        "model": challenger.model,
        "metric": challenger.evaluation.metric,
        "holdout_rows": challenger.evaluation.holdout_rows,
        "score": asdict(challenger.evaluation.score),
        "rows": challenger.rows,
        "data_version": challenger.data_version,
        "cpu_seconds": challenger.cpu_seconds,
        "by": champion.by,
        "at": champion.at,
    }
