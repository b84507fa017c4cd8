"""Fit the chosen recipe: once before each block of the holdout to be judged, and once on all rows to be released."""

import json
from typing import TYPE_CHECKING

from releve.adapters.files import write_bytes, write_parquet
from releve.domain.training.learning import answer, learn, window
from releve.domain.training.recipes import Candidate
from tasks.pipeline.stage import Stage, run
from tasks.places import POSITION

if TYPE_CHECKING:
    import pandas as pd


def train(stage: Stage) -> None:
    """Write the challenger's answers to the holdout, and the pipeline fitted on the newest rows, holdout included."""
    import pandas as pd
    import skops.io

    rows = pd.read_parquet(stage.files.rows)
    folds = json.loads(stage.files.folds.read_text())
    recipe = json.loads(stage.files.recipe.read_text())
    candidate, last = Candidate.from_dict(recipe), recipe["window"]["last_batches"]

    answers = [_answers(stage, rows, candidate, last, **fold) for fold in folds]
    final = learn(_known(rows, last, end=len(rows)), stage.schema, candidate, seed=stage.params.statistics.seed)

    write_parquet(stage.files.holdout, pd.concat(answers, ignore_index=True))
    write_bytes(stage.files.pipeline, skops.io.dumps(final))


def _answers(
    stage: Stage, rows: "pd.DataFrame", candidate: Candidate, last: int, *, start: int, end: int
) -> "pd.DataFrame":
    """Rows [start, end): position, and what a model of the rows before says of them."""
    known = _known(rows, last, end=start)
    model = learn(known, stage.schema, candidate, seed=stage.params.statistics.seed)
    print(f"block {start}-{end}: fitted on {len(known)} rows")
    return answer(model, rows.iloc[start:end], stage.schema).assign(**{POSITION: range(start, end)})


def _known(rows: "pd.DataFrame", last: int, *, end: int) -> "pd.DataFrame":
    return window(rows, end=end, last_batches=last)


if __name__ == "__main__":
    run(train)
