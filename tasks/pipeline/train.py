"""Fit the chosen recipe: once before each block of the holdout to be judged, and once on all rows to be released."""

import json
from typing import TYPE_CHECKING, Any

from releve.adapters.files import write_bytes, write_document, write_parquet
from releve.domain.evaluation.evaluation import FeatureImportances
from releve.domain.evaluation.metrics import resolve
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.training.importance import permutation_importances
from releve.domain.training.learning import answer, learn, window
from releve.domain.training.recipes import Candidate
from tasks.pipeline.stage import Stage, run
from tasks.places import POSITION

if TYPE_CHECKING:
    import pandas as pd


def train(stage: Stage) -> None:
    """Write the challenger's answers to the holdout, its strongest features, and the pipeline fitted on all rows."""
    import pandas as pd
    import skops.io

    rows = pd.read_parquet(stage.files.rows)
    folds = json.loads(stage.files.folds.read_text())
    recipe = json.loads(stage.files.recipe.read_text())
    candidate, last = Candidate.from_dict(recipe), recipe["window"]["last_batches"]
    seed = stage.params.statistics.seed

    answers = []
    for number, fold in enumerate(folds):
        known = window(rows, end=fold["start"], last_batches=last)
        model = learn(known, stage.schema, candidate, seed=seed)
        print(f"block {fold['start']}-{fold['end']}: fitted on {len(known)} rows")
        found = answer(model, rows.iloc[fold["start"] : fold["end"]], stage.schema)
        answers.append(found.assign(**{POSITION: range(fold["start"], fold["end"])}))
        if number == 0:  # the one of these models that has learned from no row of the holdout
            importances = _importances(stage, model, rows.iloc[fold["start"] : folds[-1]["end"]])
    final = learn(window(rows, end=len(rows), last_batches=last), stage.schema, candidate, seed=seed)

    write_parquet(stage.files.holdout, pd.concat(answers, ignore_index=True))
    write_document(stage.files.importances, importances)
    write_bytes(stage.files.pipeline, skops.io.dumps(final))


def _importances(stage: Stage, model: Any, holdout: "pd.DataFrame") -> FeatureImportances:
    from threadpoolctl import threadpool_limits

    metric = resolve(stage.params.gate.metric, stage.schema.target.task)
    bootstrap = BootstrapConfig.of(stage.params.statistics)
    with threadpool_limits(limits=1):  # hundreds of short answers: threads would mostly wait for each other
        return permutation_importances(
            model, holdout, stage.schema, metric, quantile=stage.params.gate.quantile, bootstrap=bootstrap
        )


if __name__ == "__main__":
    run(train)
