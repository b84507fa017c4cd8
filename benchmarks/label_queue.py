"""Are the labels of disagreements enough? Each shadow is judged twice: with all labels, and with those of its queue.

    python -m benchmarks.label_queue    # two minutes of CPU; prints the table of benchmarks/README.md

A replay: two models learn from the first rows of a table, and both answer the others; a request is a row, one a minute.
Both judgements look ten times at the rows that have come so far. They are the same where every look decides the same,
for the same reason, by the same row and the same interval.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from benchmarks.tables import BUNDLED, made, tables
from releve.domain.arms.arms import Arm, ArmMode
from releve.domain.arms.comparison import ArmAnswers, Look, compare
from releve.domain.arms.decision import ArmsDecision, decide
from releve.domain.arms.label_queue import rows_to_label, selection_for
from releve.domain.prediction_log.records import AnswerLine, Scalar, ShadowLine, answers_from, timestamp
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import Label, Target
from releve.domain.training.learning import answer, learn
from releve.domain.training.recipes import Candidate
from tests.streams import SCHEMA

METRIC, CONFIDENCE, MAX_ROWS, LOOKS = "accuracy", 0.95, 4000, 10
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
MADE = ("still", "noisy", "gradual", "recurring")
LEARNED, DIGITS_LEARNED = 1000, 600
MOST_LABELS = 0.25
MODELS = {Arm.CHAMPION: "shop:one", Arm.CHALLENGER: "shop:two"}


@dataclass(frozen=True)
class Pair:
    """Two models: recipes, and the share of the learned rows that each has seen."""

    name: str
    champion: tuple[str, float]
    challenger: tuple[str, float]


PAIRS = (
    Pair("refresh", ("linear", 0.5), ("linear", 1.0)),
    Pair("another recipe", ("linear", 1.0), ("extra_trees", 1.0)),
    Pair("worse", ("random_forest", 1.0), ("random_forest", 0.25)),
    Pair("old champion", ("extra_trees", 0.25), ("extra_trees", 1.0)),
)


@dataclass(frozen=True)
class Replay:
    """What came of one."""

    same: bool
    action: str  # of the last look
    share: float  # of the answers whose label was asked for


def main() -> int:
    """Print a line per table and pair; the exit code is 1 where the bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="replays of each line, a made table each or other seeds")
    seeds = parser.parse_args().seeds
    began, replays = time.process_time(), list[Replay]()
    print(
        "| table | arms | replays | same | labels asked for, mean and most | decided |",
        "|---|---|---|---|---|---|",
        sep="\n",
    )
    for name in (BUNDLED, *MADE):
        for pair in PAIRS:
            found = [replay(*_table(name, seed), pair, seed=seed) for seed in range(seeds)]
            print(_line(name, pair, found), flush=True)
            replays += found
    same, share = sum(each.same for each in replays), float(np.mean([each.share for each in replays]))
    most, seconds = max(each.share for each in replays), time.process_time() - began
    print(f"{same} of {len(replays)} the same, by {share:.1%} of the labels, {most:.1%} at most; {seconds:.0f} s CPU")
    return int(same < len(replays) or share > MOST_LABELS)


def replay(rows: pd.DataFrame, schema: Schema, learned: int, pair: Pair, *, seed: int) -> Replay:
    """Judge one pair of models by all labels, and by those that are asked for."""
    known, asked = rows[:learned], rows[learned:].reset_index(drop=True)
    at = [timestamp(BEGAN + timedelta(minutes=place)) for place in range(len(asked))]
    lines = list[AnswerLine]()
    for arm, (recipe, share) in ((Arm.CHAMPION, pair.champion), (Arm.CHALLENGER, pair.challenger)):
        said = _said(known.tail(int(learned * share)), asked, schema, recipe, seed=seed)
        lines += [
            AnswerLine(f"r{place}", at[place], "shop", MODELS[arm], None, arm, [{}], [label], None, None, None)
            for place, label in enumerate(said)
        ]
    champion, shadow = lines[: len(at)], lines[len(at) :]
    shadows = {
        line.id: ShadowLine(f"s{line.id}", line.id, line.at, "shop", line.model, None, line.labels, None, None, 1.0, "")
        for line in shadow
    }
    models, selection = set(MODELS.values()), selection_for(METRIC, is_shadow=True)
    asked_for = rows_to_label(champion, shadows, selection=selection, models=models, labelled=())
    labels = {f"r{place}.0": (label, at[place]) for place, label in enumerate(asked[schema.target.name].tolist())}
    queued = {row.id: labels[row.id] for row in asked_for}
    arms = ArmAnswers(
        mode=ArmMode.SHADOW,
        since=at[0],
        models=MODELS,
        rows={Arm.CHAMPION: answers_from(champion), Arm.CHALLENGER: answers_from(shadow)},
        is_shadow=True,
    )
    moments = [at[int(place)] for place in np.linspace(0, len(at) - 1, LOOKS + 1)[1:]]
    by_all, by_queued = (
        [_judged(arms, known_labels, schema.target, moment) for moment in moments] for known_labels in (labels, queued)
    )
    return Replay(by_all == by_queued, by_all[-1][0].action, len(queued) / len(labels))


def _table(name: str, seed: int) -> tuple[pd.DataFrame, Schema, int]:
    if name == BUNDLED:
        [digits] = tables([BUNDLED])
        return digits.rows, digits.schema, DIGITS_LEARNED
    return made(name, seed=seed), SCHEMA, LEARNED


def _said(known: pd.DataFrame, asked: pd.DataFrame, schema: Schema, recipe: str, *, seed: int) -> list[Label]:
    model = learn(known, schema, Candidate(recipe, "standard"), seed=seed)
    return [schema.target.classes[best] for best in answer(model, asked, schema).to_numpy().argmax(axis=1)]


def _judged(
    arms: ArmAnswers, labels: Mapping[str, tuple[Scalar, str]], target: Target, matured: str
) -> tuple[ArmsDecision, Look | None, Look | None]:
    found = compare(arms, labels, target, metric=METRIC, quantile=0.5, confidence=CONFIDENCE, matured=matured)
    return decide(found, max_rows=MAX_ROWS), found.newest, found.decisive


def _line(name: str, pair: Pair, found: list[Replay]) -> str:
    shares = [each.share for each in found]
    decided = ", ".join(f"{count} {action}" for action, count in Counter(each.action for each in found).most_common())
    same = sum(each.same for each in found)
    return f"| {name} | {pair.name} | {len(found)} | {same} | {np.mean(shares):.1%}, {max(shares):.1%} | {decided} |"


if __name__ == "__main__":
    sys.exit(main())
