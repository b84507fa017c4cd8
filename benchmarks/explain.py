"""Are explanations true to the model, and do answers wait for them? python -m benchmarks.explain [--rows 20]

A made table of ten features, whose target has products and steps in it, is learned by five recipes; the served model is
asked, in the runtime that it has. Exact values are held against the definition, over all coalitions of whole rows;
95% intervals of estimates against exact values, every feature of every row being a case. Then a service
answers predictions over a socket, alone and while explanations of 64 features come one after the other.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from math import comb
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from releve.adapters.models import model_runtime
from releve.adapters.models.model_runtime import Model
from releve.adapters.models.model_store import ModelStore
from releve.domain.evaluation.intervals import share
from releve.domain.explanation.hybrids import HybridRows
from releve.domain.explanation.shapley import Contributions, contributions
from releve.domain.schema.arrays import arrays_of_rows, rows_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.schema.validation import check_frame
from releve.serving.explain.explaining import MOST_ROWS
from tests.serving.process import serving, wait_until
from tests.serving.tables import packed, project_of, release_table

RECIPES = ("hist_gradient_boosting", "extra_trees", "neural_network", "svm", "k_neighbors")
NUMBERS, COLOURS, LEARNED = 8, ("blue", "red", "white"), 1200
ROUNDS = (4, 32)  # pairs of orders for each reference row
TASKS = {"two classes": {"name": "y", "classes": ["no", "yes"]}, "a number": {"name": "y", "task": REGRESSION}}
TURNS, REQUESTS = 5, 400  # alone and beside explanations each; predictions of a turn
HEAD = "| predicted | recipe | runtime | cases | largest difference from the definition | {} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10, help="of each model")
    parser.add_argument("--only", choices=("truth", "latency"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.only != "latency":
            truth(Path(folder), arguments.rows)
        if arguments.only != "truth":
            latency(Path(folder))


def truth(folder: Path, rows: int) -> None:
    """Print a line per model, and how often intervals of all of them hold the exact value."""
    held: dict[int, list[bool]] = {rounds: [] for rounds in ROUNDS}
    print(HEAD.format(" | ".join(f"held, {rounds} pairs of orders" for rounds in ROUNDS)))
    print("|---|---|---|---|---|" + "---|" * len(ROUNDS))
    for task, target in TASKS.items():
        table = table_of(target)
        frame = made(LEARNED + rows, is_value=task == "a number")
        accepted = check_frame(Schema.from_dict(table), frame).accepted
        for recipe in RECIPES:
            name = f"{recipe}-{task.replace(' ', '-')}"
            model = model_runtime.load(packed(folder / name, table, accepted.head(LEARNED), recipe=recipe), tag=name)
            asked = rows_of_frame(model.schema, accepted.tail(rows))
            found = {rounds: [bool(each) for row in asked for each in holds(model, row, rounds)] for rounds in ROUNDS}
            differences = [difference_from_definition(model, row) for row in asked[:2]]
            shares = " | ".join(f"{np.mean(each):.3f}" for each in found.values())
            cases = rows * len(model.schema.names)
            runtime = model.description.runtime
            print(f"| {task} | {recipe} | {runtime} | {cases} | {max(differences):.1e} | {shares} |", flush=True)
            for rounds in ROUNDS:
                held[rounds] += found[rounds]
    for rounds, each in held.items():
        total = share(sum(each), len(each), confidence=0.95)
        print(f"{rounds} pairs: {total.value:.3f} [{total.low:.3f}, {total.high:.3f}] of {len(each):,} cases")


def table_of(target: dict[str, Any]) -> dict[str, Any]:
    numbers = {f"x{place}": {"type": "number"} for place in range(NUMBERS)}
    categories = {name: {"type": "category", "categories": list(COLOURS)} for name in ("colour", "lid")}
    return {"target": target, "columns": {**numbers, **categories}}


def made(rows: int, *, is_value: bool, seed: int = 7) -> pd.DataFrame:
    """Rows whose target no sum of single features makes."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, NUMBERS)).round(3)
    frame = pd.DataFrame(values, columns=[f"x{place}" for place in range(NUMBERS)])
    for name in ("colour", "lid"):
        frame[name] = random.choice(np.array(COLOURS, dtype=object), rows)
    x, red = values.T, (frame["colour"] == "red").to_numpy()
    signal = x[0] * x[1] * (x[2] > 0) + np.where(red, x[3] * x[4], np.abs(x[5])) + (frame["lid"] == "red") * x[0] * x[3]
    signal += 0.3 * x[6] + random.normal(0, 0.2, rows)
    frame["y"] = signal.round(3) if is_value else np.where(signal > np.median(signal), "yes", "no").astype(object)
    return frame


def moved(model: Model, row: dict[str, Any], most_rows: int) -> Contributions:
    rows = HybridRows(model.schema, arrays_of_rows(model.schema, [row]), model.reference_arrays)
    return contributions(
        lambda taken, of: model.outputs(rows.arrays(taken, of))[:, -1],
        rows.differs,
        answer=float(model.outputs(rows.row)[0, -1]),
        references=model.outputs(rows.references)[:, -1],
        most_rows=most_rows,
        seed=1,
    )


def holds(model: Model, row: dict[str, Any], rounds: int) -> list[bool]:
    """Whether each feature's interval holds its exact value; to a millionth of the answer's scale where both are."""
    exact = moved(model, row, MOST_ROWS)
    assert exact.errors is None, "ten features are exact"
    count = sum(2 * (each - 1) for each in differing(model, row))
    estimated = moved(model, row, count * rounds)
    low, high = estimated.intervals.T
    slack = 1e-6 * scale_of(model)
    return ((low - slack <= exact.values) & (exact.values <= high + slack)).tolist()


def differing(model: Model, row: dict[str, Any]) -> list[int]:
    rows = HybridRows(model.schema, arrays_of_rows(model.schema, [row]), model.reference_arrays)
    return rows.differs.sum(axis=1).tolist()


def scale_of(model: Model) -> float:
    """The scale of an answer: 1 of a probability, the largest answer of a number."""
    return max(1.0, float(np.abs(model.outputs(model.reference_arrays)).max()))


def difference_from_definition(model: Model, row: dict[str, Any]) -> float:
    """The largest difference of a value from the definition over whole rows, as a share of the answer's scale."""
    names, references = model.schema.names, [each.cells for each in model.references.rows]
    count, wanted = len(names), np.zeros(len(names))
    coalitions = np.arange(2**count)
    member = coalitions[:, None] >> np.arange(count) & 1
    lengths = np.array([1 / (count * comb(count - 1, size)) for size in range(count)])
    for reference in references:
        mixed = [
            {name: (row if at else reference)[name] for name, at in zip(names, one, strict=True)}
            for one in member.tolist()
        ]
        game = model.outputs(arrays_of_rows(model.schema, mixed))[:, -1]
        for place in range(count):
            without = coalitions[member[:, place] == 0]
            wanted[place] += lengths[member[without].sum(axis=1)] @ (game[without | 1 << place] - game[without])
    return float(np.abs(wanted / len(references) - moved(model, row, MOST_ROWS).values).max() / scale_of(model))


def latency(folder: Path) -> None:
    """Print what a prediction takes alone, and while explanations come one after the other; in turns, of one run."""
    digits, pixels = "digits", load_digits()
    names = [f"pixel_{place // 8}_{place % 8}" for place in range(64)]
    frame = pd.DataFrame(pixels.data, columns=names).assign(digit=pixels.target)
    columns = {name: {"type": "number", "min": 0, "max": 16} for name in names}
    table = {"target": {"name": "digit", "classes": list(range(10))}, "columns": columns}
    checked = check_frame(Schema.from_dict(table), frame).accepted
    made_folder = packed(folder / "made" / digits, table, checked, recipe="hist_gradient_boosting")
    stored = ModelStore(folder).save(made_folder, scenario=digits, version="one", labels={})
    release_table(folder, digits, stored)
    row = rows_of_frame(Schema.from_dict(table), checked.tail(1))[0]
    explained, taken = list[tuple[float, int]](), {False: list[float](), True: list[float]()}
    with (
        serving(folder, project_of(folder, digits, table), RELEVE_SCENARIO=digits) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        wait_until(lambda: client.get("/readyz").status_code == 200)
        for turn in range(2 * TURNS):
            with explaining(address, row, explained) if turn % 2 else nullcontext():
                for _ in range(REQUESTS):
                    began = time.perf_counter()
                    assert client.post("/predict", json={"rows": [row]}).status_code == 200
                    taken[bool(turn % 2)].append(time.perf_counter() - began)
    print("\n| a prediction of one row, ms | p50 | p95 | p99 | longest |\n|---|---|---|---|---|")
    for busy, name in ((False, "alone"), (True, "beside explanations")):
        quantiles = " | ".join(f"{1e3 * np.quantile(taken[busy], at):.1f}" for at in (0.5, 0.95, 0.99, 1))
        print(f"| {name} | {quantiles} |")
    seconds, asked = (np.median(each) for each in zip(*explained, strict=True))
    print(f"{len(explained)} explanations of 64 features: {seconds:.1f} s each, {asked:,.0f} rows of the model asked")


@contextmanager
def explaining(address: str, row: dict[str, Any], explained: list[tuple[float, int]]) -> Iterator[None]:
    """Have one explanation after the other made meanwhile."""
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=address, timeout=30) as client:
            while not done.is_set():
                began = time.perf_counter()
                reply = client.post("/explain", json={"row": row})
                assert reply.status_code == 200, reply.text
                explained.append((time.perf_counter() - began, reply.json()["asked_rows"]))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.2)
    yield
    done.set()
    asking.join()


if __name__ == "__main__":
    main()
