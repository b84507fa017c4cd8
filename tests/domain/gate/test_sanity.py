"""Sane models pass whatever their recipe and task; one that amplifies noise is found, with column and example."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from releve.domain.evaluation.evaluation import Sanity
from releve.domain.gate.sanity import WAYS, check
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.columns import CATEGORY, DATE, IMAGE, NUMBER, TEXT
from releve.domain.schema.schema import Schema
from releve.domain.training import transformers
from releve.domain.training.pipeline import build, model_frame
from releve.domain.training.recipes import RECIPES
from tests.images import png
from tests.mixed_tables import LEARNERS, MIXES, SMALL, mixed_table
from tests.templates import Whitened, templates

TASKS = ("binary", "multiclass", "regression")


def asker(schema, frame, recipe, **options):
    options = SMALL.get(recipe, {}) | options
    pipeline = build(schema, recipe=recipe, scale="standard", options=options, seed=7)
    pipeline.fit(model_frame(arrays_of_frame(schema, frame), schema), frame[schema.target.name])

    def ask(rows):
        features = model_frame(arrays_of_frame(schema, rows), schema)
        return pipeline.predict(features)[:, None] if not schema.target.classes else pipeline.predict_proba(features)

    return ask


@pytest.mark.parametrize("recipe", LEARNERS)
@pytest.mark.parametrize("task", TASKS)
def test_one_word_moves_the_answers_to_templated_texts_a_little_and_the_model_is_sane(recipe, task):
    schema, frame = templates(task)
    ask = asker(schema, frame, recipe)
    before, after = ask(frame), ask(frame.assign(note=frame["note"] + " please"))

    found = check(frame, schema, ask)

    usual = np.abs(before - before[::-1]).mean()
    assert (
        np.abs(after - before).mean() < (0.3 if RECIPES[recipe].scaled else 0.75) * usual
    )  # forests know rows by heart
    assert found.broken == (), str(found)
    assert (found.rows, found.tried) == (200, 5)
    assert not any(each.cells for each in found.worst)  # git keeps what is found, and no rows
    assert Sanity.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("recipe", ["linear", "svm", "k_neighbors"])
@pytest.mark.parametrize(
    ("task", "share"), [("binary", 0.1), ("binary", 0.8), ("multiclass", 0.4), ("regression", 0.4)]
)
def test_a_model_that_amplifies_the_noise_of_such_texts_is_found(recipe, task, share, monkeypatch):
    monkeypatch.setattr(transformers, "TextFolder", Whitened)
    schema, frame = templates(task, share=share)

    found = check(frame, schema, asker(schema, frame, recipe))

    assert {each.column for each in found.broken} == {"note"}
    assert all(each.cells for each in found.broken)
    assert Sanity.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("recipe", LEARNERS)
@pytest.mark.parametrize("kinds", ["tabular", "texts"])
def test_every_type_of_column_is_altered(recipe, kinds):
    schema, frame = mixed_table("binary", MIXES[kinds])

    found = check(frame, schema, asker(schema, frame, recipe))

    assert found.broken == (), str(found)
    # A listed category has no unseen value, and in texts of three words another real word is no slight change.
    assert found.tried == {"tabular": 4, "texts": 1}[kinds]


def numbers(**columns):
    schema = Schema.from_dict(
        {"columns": {name: {"type": "number"} for name in columns}, "target": {"name": "y", "classes": [0, 1]}}
    )
    return schema, pd.DataFrame({**columns, "y": np.arange(300) % 2})


def test_a_column_of_rounding_noise_that_a_model_divides_by_is_found(monkeypatch):
    random = np.random.default_rng(7)
    label = np.arange(300) % 2
    noise = 1.0 + (label ^ (random.random(300) < 0.1)) * 2.0**-23
    schema, frame = numbers(x=label + random.normal(0, 0.5, 300), noise=noise)
    assert not check(frame, schema, asker(schema, frame, "linear")).broken

    monkeypatch.setattr(transformers, "BoundedScaler", StandardScaler)

    assert [each.column for each in check(frame, schema, asker(schema, frame, "linear")).broken] == ["noise"]


HONEST = {
    "one column that hardly matters": lambda random, x: {"x": x, "y": 0.2 * x + random.normal(size=300) > 0},
    "one column and twenty rows of a class": lambda random, x: {"x": x, "y": np.argsort(np.argsort(x)) < 20},
    "a heavy tail and nothing to learn": lambda random, x: {"x": np.exp(3 * x), "y": np.exp(random.normal(0, 3, 300))},
    "a spike beside noise": lambda random, x: {
        "s": np.where(np.arange(300) < 290, 0, 1e6 * x),
        "x": x,
        "y": x * random.normal(size=300) > 0,
    },
    "dates from new year on": lambda random, x: {
        "d": pd.date_range("2024-01-01", periods=300, freq="7h"),
        "y": 10 * np.sin(np.arange(300) / 20) + random.normal(size=300),
    },
}


@pytest.mark.parametrize("recipe", ["linear", "extra_trees", "random_forest", "hist_gradient_boosting", "svm"])
@pytest.mark.parametrize("table", HONEST.values(), ids=HONEST.keys())
def test_an_honest_model_of_a_small_odd_table_is_sane(recipe, table):
    random = np.random.default_rng(3)
    frame = pd.DataFrame(table(random, random.normal(size=300)))
    if frame["y"].dtype == bool:
        frame["y"] = frame["y"].astype(int)
    target = {"name": "y", "classes": [0, 1]} if frame["y"].dtype.kind == "i" else {"name": "y", "task": "regression"}
    columns = {name: {"type": "date" if name == "d" else "number"} for name in frame if name != "y"}
    schema = Schema.from_dict({"columns": columns, "target": target})

    assert check(frame, schema, asker(schema, frame, recipe)).broken == ()


@pytest.mark.parametrize("recipe", LEARNERS)
def test_a_flag_that_decides_everything_is_no_fault(recipe):
    random = np.random.default_rng(7)
    schema, frame = numbers(flag=(np.arange(300) % 2).astype(float), x=random.normal(0, 1, 300))

    assert not check(frame, schema, asker(schema, frame, recipe)).broken


def test_one_nearest_row_jumps_and_is_sane():
    schema, frame = mixed_table("binary", MIXES["all"], rows=300)

    assert not check(frame, schema, asker(schema, frame, "k_neighbors", n_neighbors=1)).broken


@pytest.mark.parametrize("recipe", ["linear", "svm"])
def test_a_model_that_tells_rows_hardly_apart_is_sane(recipe):
    random = np.random.default_rng(3)
    spec = {"t": {"type": "text", "max_length": 200, "nullable": True}, "x": {"type": "number"}}
    schema = Schema.from_dict({"columns": spec, "target": {"name": "y", "classes": [0, 1]}})
    texts = ["" if n < 195 else "a few words here" for n in range(200)]
    frame = pd.DataFrame({"t": texts, "x": random.normal(size=200), "y": np.arange(200) % 2})

    assert check(frame, schema, asker(schema, frame, recipe)).broken == ()


@pytest.mark.parametrize("answer", [np.nan, np.inf, 1e300])
def test_answers_that_are_no_numbers_any_more_are_found_and_can_be_written_down(answer):
    schema, frame = mixed_table("regression", MIXES["texts"])

    def ask(rows):
        return np.where(rows["title"].isin(set(frame["title"])), rows["title"].str.len(), answer).astype(float)[:, None]

    found = check(frame, schema, ask)

    assert found.broken
    assert all(np.isfinite([each.lost, each.shift, *each.answers]).all() for each in found.broken)


def test_a_wide_table_is_tried_on_fewer_rows_and_a_small_one_on_all_that_there_are():
    columns = {f"x{number}": np.random.default_rng(number).normal(0, 1, 300) for number in range(120)}
    schema, frame = numbers(**columns)

    def ask(rows):
        share = 1 / (1 + np.exp(-rows["x0"].to_numpy()))
        return np.column_stack([1 - share, share])

    assert check(frame, schema, ask).rows == 55
    assert check(frame.head(12), schema, ask).rows == 12


@pytest.mark.parametrize("kind", WAYS)
def test_a_column_is_asked_at_most_as_often_as_the_rows_of_a_wide_table_are_counted_with(kind):
    number = np.arange(60)
    cells = {
        NUMBER: number / 7,
        DATE: pd.Timestamp("2024-01-01") + pd.to_timedelta(number, "D"),
        CATEGORY: np.where(number % 2, "a", "b"),
        TEXT: [f"one two three four five six {place}" for place in number],
        IMAGE: [png(np.full((2, 2), place)) for place in number],
    }[kind]
    columns = {"x": {"type": kind, "nullable": True}}
    schema = Schema.from_dict({"target": {"name": "y", "classes": [0, 1]}, "columns": columns})

    found = check(pd.DataFrame({"x": cells}), schema, lambda rows: np.full((len(rows), 2), 0.5))

    assert found.tried + 1 == WAYS[kind]  # and once with another row's cell
