"""Challenger, champion and naive baselines on the same holdout rows."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from releve.adapters.files import read_inputs, write_json
from releve.adapters.model_store import ModelStore
from releve.rules import gate
from releve.rules.params import Gate
from releve.rules.scores import Flags, accuracy, correct, log_loss, majority_label, paired_gain, previous_labels
from releve.rules.target import Label
from tasks.places import POSITION
from tasks.stage import Stage, run

if TYPE_CHECKING:
    import pandas as pd


def evaluate(stage: Stage) -> None:
    """Write results/<scenario>/evaluation.json for the gate and metrics.json for people."""
    import pandas as pd

    # gather
    rows, holdout = pd.read_parquet(stage.files.rows), pd.read_parquet(stage.files.holdout)
    champion = read_inputs(stage.files.inputs).champion
    classes = list(stage.schema.target.classes)
    target = rows[stage.schema.target.name].tolist()
    first = int(holdout[POSITION].iloc[0])
    labels, before = target[first:], target[:first]
    probabilities = holdout[[str(label) for label in classes]].to_numpy()

    # decide
    mine = correct([classes[best] for best in probabilities.argmax(axis=1)], labels)
    majority = [majority_label(before, classes)] * len(labels)
    others = {gate.MAJORITY: majority, gate.PREVIOUS_LABEL: previous_labels(before[-1], labels)}
    if champion:
        others = {gate.CHAMPION: _champion_labels(stage, champion, rows.iloc[first:])} | others
    flags = {name: correct(answers, labels) for name, answers in others.items()}
    found: dict[str, Any] = {
        "rows": len(rows),
        "holdout_rows": len(labels),
        "challenger": _score(mine, stage.params.gate) | {"log_loss": log_loss(probabilities, labels, classes)},
        "against": {name: _compare(other, mine, stage.params.gate) for name, other in flags.items()},
    }

    # apply
    write_json(stage.files.evaluation, rounded(found))
    metrics = {name.replace(" ", "_"): float(other.mean()) for name, other in flags.items()}
    log_loss_found = found["challenger"]["log_loss"]
    summary = {
        "accuracy": float(mine.mean()),
        "log_loss": log_loss_found,
        **metrics,
        "holdout_rows": len(labels),
        "rows": len(rows),
    }
    write_json(stage.files.metrics, rounded(summary))
    print(f"accuracy {mine.mean():.3f} on {len(labels)} rows; " + _others(flags))


def _champion_labels(stage: Stage, tag: str, rows: "pd.DataFrame") -> list[Label]:
    model = ModelStore(stage.settings.home).load(tag)
    return model.answer(model.schema.frame_input(rows)).labels


def _score(flags: Flags, params: Gate) -> dict[str, Any]:
    interval = accuracy(flags, confidence=params.confidence)
    return {"accuracy": interval.value, "accuracy_low": interval.low, "accuracy_high": interval.high}


def _compare(other: Flags, mine: Flags, params: Gate) -> dict[str, Any]:
    gain = paired_gain(other, mine, confidence=params.confidence, resamples=params.resamples, seed=params.seed)
    wins, losses = int((mine & ~other).sum()), int((other & ~mine).sum())
    return {"accuracy": float(other.mean()), "gain": asdict(gain), "wins": wins, "losses": losses}


def _others(flags: dict[str, Flags]) -> str:
    return ", ".join(f"{name} {other.mean():.3f}" for name, other in flags.items())


def rounded(value: Any) -> Any:
    """Six digits: enough to compare, and the same on every machine."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return round(value, 6) if isinstance(value, float) else value


if __name__ == "__main__":
    run(evaluate)
