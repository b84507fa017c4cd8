"""Quality over time, of every champion since the ledger began."""

from itertools import chain

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.core.errors import NotFound
from releve.core.settings import Settings
from releve.domain.evaluation.metrics import resolve
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.quality.windows import QualityWindow, Scoring
from releve.domain.quality.windows import quality_windows as cut_windows
from tasks.monitoring.champion import read_reference
from tasks.places import ScenarioState

CHAMPION = "champion"  # the arm whose answers callers got
RESAMPLES = 400  # draws per window at most: there may be thousands of windows


def quality_windows(settings: Settings, scenario: str) -> tuple[QualityWindow, ...]:
    """Windows of `monitor.window_rows` answers in time order; () before the first answer. Reads the ledger once."""
    truth = read_committed(settings, scenario)
    params, schema = truth.params, truth.schema
    ledger, gate = LedgerReader(ScenarioState(settings.home, scenario).ledger), params.gate
    how = Scoring(
        schema.target,
        resolve(gate.metric, schema.target.task),
        gate.quantile,
        params.monitor.window_rows,
        BootstrapConfig.of(params.statistics, resamples=RESAMPLES),
    )
    days = ledger.days(arm=CHAMPION)
    first = next((day for day in days if len(day)), None)
    if first is None:
        return ()
    try:  # what the first model learned from, as far as it travels with it
        learned = read_reference(settings, first.models[0])[schema.target.name]
        known = [label for label in map(schema.target.parse, learned) if label is not None]
    except (NotFound, KeyError):  # the model is gone, or had another target
        known = []
    return tuple(cut_windows(chain([first], days), ledger.labels(), how, known=known))
