"""Fit the chosen recipe: once before each block of the holdout to be judged, and once on all rows to be released."""

from typing import TYPE_CHECKING, Any

from releve.adapters.files import read_document, write_bytes, write_document, write_parquet
from releve.domain.evaluation.evaluation import FeatureImportances
from releve.domain.evaluation.metrics import resolve
from releve.domain.evaluation.paired import ESTIMATED, RESAMPLES, BootstrapConfig
from releve.domain.evaluation.rolling_origin import HoldoutFolds
from releve.domain.training.importance import permutation_importances
from releve.domain.training.learning import answer, learn, window
from releve.domain.training.recipe_choice import RecipeChoice
from tasks.pipeline.stage import Stage, run
from tasks.places import POSITION

if TYPE_CHECKING:
    import pandas as pd


def train(stage: Stage) -> None:
    """Write the challenger's answers to the holdout, its strongest features, and the pipeline fitted on all rows."""
    import pandas as pd
    import skops.io

    rows = pd.read_parquet(stage.files.rows)
    folds = read_document(stage.files.folds, HoldoutFolds).folds
    chosen = read_document(stage.files.recipe, RecipeChoice)
    seed = stage.params.statistics.seed

    blocks = []
    for number, fold in enumerate(folds):
        known = window(rows, end=fold.start, last_batches=chosen.last_batches)
        model = learn(known, stage.schema, chosen.candidate, seed=seed)
        print(f"block {fold.start}-{fold.end}: fitted on {len(known)} rows")
        block = answer(model, rows.iloc[fold.start : fold.end], stage.schema)
        blocks.append(block.assign(**{POSITION: range(fold.start, fold.end)}))
        if number == 0:  # the one of these models that has learned from no row of the holdout
            importances = _importances(stage, model, rows.iloc[fold.start : folds[-1].end])
    everything = window(rows, end=len(rows), last_batches=chosen.last_batches)
    final = learn(everything, stage.schema, chosen.candidate, seed=seed)

    write_parquet(stage.files.holdout, pd.concat(blocks, ignore_index=True))
    write_document(stage.files.importances, importances)
    write_bytes(stage.files.pipeline, skops.io.dumps(final))


def _importances(stage: Stage, model: Any, holdout: "pd.DataFrame") -> FeatureImportances:
    from threadpoolctl import threadpool_limits

    metric = resolve(stage.params.gate.metric, stage.schema.target.task)
    # By single keys: this stage is not to run again, and make another file, for the gate's least number of rows.
    bootstrap = BootstrapConfig(stage.params.statistics.confidence, RESAMPLES, ESTIMATED, stage.params.statistics.seed)
    with threadpool_limits(limits=1):  # hundreds of short answers: threads would mostly wait for each other
        return permutation_importances(
            model, holdout, stage.schema, metric, quantile=stage.params.gate.quantile, bootstrap=bootstrap
        )


if __name__ == "__main__":
    run(train)
