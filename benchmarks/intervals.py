"""Do intervals hold what they promise, and how wide are they?

    python -m benchmarks.intervals [bike=bike_hourly.csv:cnt] [--first 2000] [--rows 240] [--windows 24]
        [--leave-out casual,registered,instant,dteday]

Made streams, and tables of numbers (NAME=FILE:TARGET, in time order), whose windows the default pool answers before
they are learned from, as a refresh with every window does. Each window gets the intervals that a release before it
would have made of the newest windows. `score` is Winkler's (1972): the width, and 2 / alpha times a miss.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from releve.core.params import Train
from releve.domain.ensemble.fitting import LearningData, roll
from releve.domain.ensemble.forward import WINDOWS
from releve.domain.ensemble.pool import pool_of
from releve.domain.ensemble.refresh import weigh_forward
from releve.domain.ensemble.weights import ABSOLUTE
from releve.domain.evaluation.conformal import AnsweredWindow, conformal_intervals
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.schema.schema import BATCH, ROW, Schema

SCALES = {  # of the errors of a made stream, by window and answer
    "the same errors": lambda number, means: np.ones(len(means)),
    "large answers err more": lambda number, means: 0.2 + 0.3 * means,
    "three times as large from window 10 on": lambda number, means: np.full(len(means), 3.0 if number >= 10 else 1.0),
    "15% larger with each window": lambda number, means: np.full(len(means), 1.15**number),
    "15% smaller with each window": lambda number, means: np.full(len(means), 1.15**-number),
}


def made(name: str, *, windows: int, rows: int, seed: int = 7) -> list[AnsweredWindow]:
    """Answers from 0 to 10, and labels that differ by normal noise."""
    random = np.random.default_rng(seed)
    stream = []
    for number in range(windows):
        means = random.uniform(0, 10, rows)
        stream.append((means, means + SCALES[name](number, means) * random.standard_normal(rows)))
    return stream


def answered(
    path: str, target: str, *, first: int, windows: int, rows: int, without: Sequence[str]
) -> list[AnsweredWindow]:
    """Let the default pool answer the windows after the first rows."""
    import pandas as pd

    table = pd.read_csv(path).iloc[: first + windows * rows].drop(columns=list(without))
    columns = {name: {"type": "number"} for name in table if name != target}
    schema = Schema.from_dict({"target": {"name": target, "task": "regression"}, "columns": columns})
    table = table.astype(float)
    table[BATCH], table[ROW] = [f"{row // rows:06d}" for row in range(len(table))], np.arange(len(table)) % rows
    pool = pool_of(Train(recipe="auto", ensemble=True, last_batches=0, options={}), schema, rows=first)
    blocks = [Fold(start, start + rows) for start in range(first, len(table), rows)]
    rolled = roll(LearningData(table, schema, 7), pool.members, blocks)
    weighed = weigh_forward(rolled.windows, plain=pool.plain, loss=ABSOLUTE)
    return [(window.refreshed[:, 0], window.truth) for window in weighed]


def measure(stream: Sequence[AnsweredWindow], *, confidence: float, adapts: bool) -> str:
    """Play one release per window."""
    held, widths, scores, thirds = [], [], [], []
    for number in range(2, len(stream)):
        known = list(stream[max(0, number - WINDOWS) : number])
        if not adapts:  # one window has no label to learn a level from
            known = [tuple(np.concatenate(each) for each in zip(*known, strict=True))]  # type: ignore[list-item]
        intervals = conformal_intervals(known, confidence=confidence)
        assert intervals is not None
        answers, labels = stream[number]
        low, high = np.array(intervals.around(answers.tolist(), low=None, high=None)).T
        inside = (low <= labels) & (labels <= high)
        missed_by = np.maximum(low - labels, 0) + np.maximum(labels - high, 0)
        held.append(inside)
        widths.append((high - low).mean())
        scores.append((high - low + 2 / (1 - confidence) * missed_by).mean())
        thirds.append([each.mean() for each in np.array_split(inside[np.argsort(answers, kind="stable")], 3)])
    by_window = np.array([each.mean() for each in held])
    of_thirds = ", ".join(f"{each:.3f}" for each in np.mean(thirds, axis=0))
    return (
        f"coverage {np.concatenate(held).mean():.3f}, worst window {by_window.min():.3f}, last ten "
        f"{by_window[-10:].mean():.3f}, by thirds of the answer {of_thirds}; width {np.mean(widths):.4g}, "
        f"score {np.mean(scores):.4g}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="NAME=FILE:TARGET")
    parser.add_argument("--first", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--windows", type=int, default=24)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--leave-out", default="casual,registered,instant,dteday")
    chosen = parser.parse_args()
    streams = {name: made(name, windows=chosen.windows, rows=chosen.rows) for name in SCALES}
    for table in chosen.tables:
        name, _, place = table.partition("=")
        path, _, target = place.rpartition(":")
        streams[name] = answered(
            path,
            target,
            first=chosen.first,
            windows=chosen.windows,
            rows=chosen.rows,
            without=chosen.leave_out.split(","),
        )
    for name, stream in streams.items():
        for adapts in (False, True):
            figures = measure(stream, confidence=chosen.confidence, adapts=adapts)
            print(f"{name}, {'adapted' if adapts else 'plain'}: {figures}", flush=True)


if __name__ == "__main__":
    main()
