"""Challenger, champion and naive baselines on the same holdout rows: by the gate's metric, over all and per slice."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.adapters.files import read_inputs, write_json
from releve.adapters.model_runtime import Model
from releve.adapters.model_store import ModelStore
from releve.errors import BadInput
from releve.rules import baselines, paired
from releve.rules.calibration import calibration
from releve.rules.gate import CHAMPION
from releve.rules.learning import VALUE
from releve.rules.metrics import METRICS, metrics_of, resolve, score_or_none
from releve.rules.paired import Doubt
from releve.rules.scores import rounded, told
from releve.rules.sheets import Sheet, in_classes, sheet
from releve.rules.slices import Slice, check_slices, slices
from releve.rules.split import Fold, numbered
from releve.rules.target import REGRESSION
from tasks.fairness import find_unfairness
from tasks.places import POSITION
from tasks.stage import Stage, run

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Case:
    """Everything that is weighed: all rows, and the answers of each model to the holdout."""

    stage: Stage
    rows: "pd.DataFrame"
    folds: tuple[Fold, ...]
    challenger: Sheet
    champion: Sheet | None

    @cached_property
    def metric(self) -> str:
        return resolve(self.stage.params.gate.metric, self.stage.schema.target.task)

    @property
    def first(self) -> int:
        """Where the holdout begins."""
        return self.folds[0].start

    @property
    def holdout(self) -> "pd.DataFrame":
        return self.rows.iloc[self.first :]

    @property
    def doubt(self) -> Doubt:
        gate = self.stage.params.gate
        return Doubt(gate.confidence, gate.resamples, gate.block_rows, gate.seed)


def evaluate(stage: Stage) -> None:
    """Write results/<scenario>/evaluation.json for the gate and metrics.json for people."""
    case = gather(stage)

    found = judge(case)

    write_json(stage.files.evaluation, all_rounded(found))
    write_json(stage.files.metrics, all_rounded(_summary(found)))
    others = ", ".join(f"{name} {told(other['score'])}" for name, other in found["against"].items())
    print(f"{found['metric']} {told(found['challenger']['score'])} on {found['holdout_rows']} rows; {others}")


def gather(stage: Stage) -> Case:
    """Raises BadInput for params that do not fit the table, and for a champion that cannot be asked."""
    import pandas as pd

    gate, schema = stage.params.gate, stage.schema
    check_slices(gate.slices, schema, key="gate.slices")
    check_slices(gate.protected, schema, key="gate.protected")
    rows, holdout = pd.read_parquet(stage.files.rows), pd.read_parquet(stage.files.holdout)
    folds = tuple(Fold(**fold) for fold in json.loads(stage.files.folds.read_text()))
    newest = rows.iloc[int(holdout[POSITION].iloc[0]) :]
    blocks = numbered(folds)
    mine = _sheet(stage, newest, holdout[_answer_columns(stage)].to_numpy(), blocks)
    tag = read_inputs(stage.files.inputs).champion
    champion = _sheet(stage, newest, _champion_answers(stage, tag, newest), blocks) if tag else None
    return Case(stage, rows, folds, mine, champion)


def judge(case: Case) -> dict[str, Any]:
    """evaluation.json; `releve.rules.gate.read_challenge` reads it."""
    against, mine = _against(case), case.challenger
    fairness, unknown = find_unfairness(case)
    return {
        "task": case.stage.schema.target.task,
        "metric": case.metric,
        "sign": METRICS[case.metric].sign,
        "rows": len(case.rows),
        "holdout_rows": len(mine),
        "block_rows": max((other["block_rows"] for other in against.values()), default=1),
        "confidence": case.doubt.confidence,
        "challenger": _own(case, mine),
        "against": against,
        "slices": [_slice(case, part) for part in _slices(case)],
        "fairness": fairness,
        "unknown_groups": unknown,
    }


def _answer_columns(stage: Stage) -> list[str]:
    return [str(label) for label in stage.schema.target.classes] or [VALUE]


def _sheet(stage: Stage, rows: "pd.DataFrame", answers: Any, blocks: Any) -> Sheet:
    """The champion is one model, and is yet asked what the challenger is: to rank the rows of a block."""
    target = stage.schema.target
    return sheet(answers, rows[target.name].tolist(), target, quantile=stage.params.gate.quantile, blocks=blocks)


def _champion_answers(stage: Stage, tag: str, rows: "pd.DataFrame") -> Any:
    """In the order of the schema's classes, of which the champion may know fewer, or others."""
    model, target = ModelStore(stage.settings.home).load(tag), stage.schema.target
    _check_askable(model, stage, rows)
    answers = model.answer(model.schema.frame_input(rows))
    if answers.probabilities is None:
        return np.asarray(answers.labels, dtype=np.float64)
    return in_classes(answers.probabilities, model.schema.target.classes, target.classes)


def _check_askable(model: Model, stage: Stage, rows: "pd.DataFrame") -> None:
    start_over = "Change the scenario back, or start it from scratch (`make forget`)"
    if (model.schema.target.task == REGRESSION) != (stage.schema.target.task == REGRESSION):
        raise BadInput(
            f"the champion {model.tag} answers a {model.schema.target.task} question and the scenario asks a "
            f"{stage.schema.target.task} one, so they cannot be compared. {start_over}"
        )
    if missing := [name for name in model.schema.names if name not in rows]:
        raise BadInput(
            f"the champion {model.tag} needs the columns {', '.join(missing)}, which the scenario no longer has, so it "
            f"cannot be compared. {start_over}"
        )
    types = {column.name: column.type for column in stage.schema.columns}
    for column in model.schema.features:
        if column.type != types[column.name]:
            raise BadInput(
                f"the champion {model.tag} learned {column.name} as a {column.type} and the scenario calls it a "
                f"{types[column.name]}, so they cannot be compared. {start_over}"
            )


def _own(case: Case, found: Sheet) -> dict[str, Any]:
    """A model's own figures, by every metric of the task that is defined on these rows."""
    interval = paired.score_interval(case.metric, found, case.doubt)
    task = case.stage.schema.target.task
    scores = {name: score_or_none(name, found) for name in metrics_of(task)}
    return {
        "score": interval.value,
        "low": interval.low,
        "high": interval.high,
        "metrics": {name: value for name, value in scores.items() if value is not None},
        "calibration": {} if task == REGRESSION else calibration(found),
    }


def _against(case: Case) -> dict[str, Any]:
    champion = {CHAMPION: _compare(case, case.champion, must_beat=True)} if case.champion else {}
    naive = _baselines(case).items()
    return champion | {
        name: _compare(case, case.challenger.answered(other.answers), must_beat=other.must_beat)
        for name, other in naive
    }


def _baselines(case: Case) -> dict[str, baselines.Baseline]:
    schema, gate = case.stage.schema, case.stage.params.gate
    truth = baselines.labels_as_places(case.rows[schema.target.name].tolist(), schema.target)
    positive = None if case.challenger.multiclass else case.challenger.positive
    past = baselines.Past(truth, case.folds, len(schema.target.classes), case.metric, gate.quantile, positive)
    times = case.rows[schema.time] if schema.time and case.rows[schema.time].dtype.kind == "M" else None
    return baselines.baselines(past, task=schema.target.task, label_delay_rows=gate.label_delay_rows, times=times)


def _compare(case: Case, other: Sheet, *, must_beat: bool) -> dict[str, Any]:
    gain = paired.compare(case.metric, case.challenger, other, case.doubt)
    return {
        "score": gain.other,
        "gain": asdict(gain.gain),
        "p": gain.p,
        "wins": gain.wins,
        "losses": gain.losses,
        "block_rows": gain.block,
        "wanted_block_rows": gain.wanted_block,
        "must_beat": must_beat,
    }


def _slices(case: Case) -> list[Slice]:
    before = case.rows.iloc[: case.first]
    return list(slices(before, case.holdout, case.stage.params.gate.slices, case.stage.schema))


def _slice(case: Case, part: Slice) -> dict[str, Any]:
    mine = case.challenger.take(part.rows)
    theirs = case.champion.take(part.rows) if case.champion else None
    score = score_or_none(case.metric, mine)
    other = None if theirs is None else score_or_none(case.metric, theirs)
    known = theirs is not None and score is not None
    gain = asdict(paired.compare(case.metric, mine, theirs, case.doubt).gain) if theirs is not None and known else {}
    return {
        "column": part.column,
        "value": part.value,
        "rows": len(mine),
        "challenger": score,
        "champion": other,
        "gain": gain,
    }


def _summary(found: dict[str, Any]) -> dict[str, Any]:
    others = {name.replace(" ", "_"): other["score"] for name, other in found["against"].items()}
    return {**found["challenger"]["metrics"], **others, "holdout_rows": found["holdout_rows"], "rows": found["rows"]}


def all_rounded(value: Any) -> Any:
    """Every figure in it."""
    if isinstance(value, dict):
        return {key: all_rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [all_rounded(inner) for inner in value]
    return rounded(value) if isinstance(value, float) else value


if __name__ == "__main__":
    run(evaluate)
