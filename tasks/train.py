"""Fit the recipe: once before each block of the holdout to be judged, and once on all rows to be released."""

import json
from typing import TYPE_CHECKING, Any

from releve.adapters.files import write_bytes, write_parquet
from releve.errors import BadInput
from releve.rules.pipeline import CALIBRATION_FOLDS, build, model_frame
from releve.rules.schema import Schema
from tasks.places import POSITION
from tasks.stage import Stage, run

if TYPE_CHECKING:
    import pandas as pd


def train(stage: Stage) -> None:
    """Write the challenger's answers to the holdout, and the pipeline fitted on every labelled row."""
    import pandas as pd
    import skops.io

    rows = pd.read_parquet(stage.files.rows)
    folds = json.loads(stage.files.folds.read_text())

    answers = [_answers(stage, rows, **fold) for fold in folds]
    final = _fit(stage, rows)

    write_parquet(stage.files.holdout, pd.concat(answers, ignore_index=True))
    write_bytes(stage.files.pipeline, skops.io.dumps(final))


def _answers(stage: Stage, rows: "pd.DataFrame", *, start: int, end: int) -> "pd.DataFrame":
    """Rows [start, end): position, probabilities in the schema's order of classes, by a model of the rows before."""
    import pandas as pd

    model = _fit(stage, rows.iloc[:start])
    block = rows.iloc[start:end]
    found = pd.DataFrame(
        model.predict_proba(model_frame(stage.schema.frame_input(block), stage.schema)), columns=model.classes_.tolist()
    )
    probabilities = found.reindex(columns=list(stage.schema.target.classes), fill_value=0.0)
    print(f"block {start}-{end}: fitted on {start} rows")
    return probabilities.rename(columns=str).assign(**{POSITION: range(start, end)})


def _fit(stage: Stage, rows: "pd.DataFrame") -> Any:
    labels = rows[stage.schema.target.name]
    _check_labels(labels.tolist(), stage.schema, calibrated=stage.params.train.recipe == "svm")
    features = model_frame(stage.schema.frame_input(rows), stage.schema)
    return build(stage.schema, **stage.params.train.model_dump()).fit(features, labels)


def _check_labels(labels: list[Any], schema: Schema, *, calibrated: bool) -> None:
    counts = {label: labels.count(label) for label in set(labels)}
    needed = CALIBRATION_FOLDS if calibrated else 1
    rare = {label: count for label, count in counts.items() if count < needed}
    if len(counts) < 2 or rare:
        found = ", ".join(f"{label}: {count}" for label, count in sorted(counts.items(), key=str))
        raise BadInput(
            f"the first {len(labels)} rows hold too few labels to learn from ({schema.target.name}: {found}); at least "
            f"two classes with {needed} rows each are needed. Ingest more rows, or lower split.holdout_share"
        )


if __name__ == "__main__":
    run(train)
