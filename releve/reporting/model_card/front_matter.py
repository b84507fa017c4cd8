"""What Hugging Face's hub reads of a card: a block of YAML above its Markdown.

https://huggingface.co/docs/hub/model-cards. A key that there is no evidence for is left out: the hub has no word for
what is missing. So is a licence, which a table's owner has to give.
"""

from typing import Any

from releve.core.names import ModelTag
from releve.domain.schema.target import REGRESSION
from releve.reporting.model_card.record import ModelRecord

LIBRARIES = {"onnx": "onnx", "sklearn": "sklearn"}  # the hub's names, by our runtime
TASKS = {True: "tabular-regression", False: "tabular-classification"}  # whether the target is a number


def front_matter(record: ModelRecord) -> dict[str, Any]:
    """Describe a model version by the hub's keys."""
    description, evaluation = record.description, record.evaluation
    named = {
        "library_name": description and LIBRARIES.get(description.runtime),
        "pipeline_tag": description and TASKS[description.task == REGRESSION],
        "tags": ["releve", ModelTag.parse(record.model).scenario],
        "metrics": list(evaluation.challenger.metrics) if evaluation else None,
        "model-index": _model_index(record),
    }
    return {key: value for key, value in named.items() if value}


def _model_index(record: ModelRecord) -> list[dict[str, Any]]:
    """List the scores on the rows that it was judged on."""
    evaluation, challenger = record.evaluation, record.challenger
    if not evaluation or not challenger:
        return []
    scenario = ModelTag.parse(record.model).scenario
    scores = {evaluation.metric: evaluation.score.value, **evaluation.challenger.metrics}
    result = {
        "task": {"type": TASKS[evaluation.task == REGRESSION]},
        "dataset": {
            "name": scenario,
            "type": scenario,
            "revision": challenger.data_version,
            "split": f"{evaluation.holdout_rows} rows, each answered before it was learned from",
        },
        "metrics": [{"type": name, "value": value, "verified": False} for name, value in scores.items()],
    }
    return [{"name": record.model, "results": [result]}]
