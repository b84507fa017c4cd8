import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from releve.domain.training.pipeline import MOST_CATEGORIES, build, model_frame
from releve.domain.training.recipes import RECIPES
from tests.mixed_tables import LEARNERS, MIXES, mixed_rows, mixed_schema, mixed_table, offered_mixes, small_options
from tests.tables import SHOP_TABLE, shop_rows, shop_schema

TASKS = ("binary", "multiclass", "regression")


def fitted(recipe, schema, frame, *, scale="standard", seed=7, **options):
    options = small_options(recipe, schema) | options
    pipeline = build(schema, recipe=recipe, scale=scale, options=options, seed=seed)
    return pipeline.fit(model_frame(arrays_of_frame(schema, frame), schema), frame[schema.target.name])


def asked(pipeline, schema, frame):
    features = model_frame(arrays_of_frame(schema, frame), schema)
    return pipeline.predict(features) if schema.target.task == "regression" else pipeline.predict_proba(features)


def shop(rows=120, *, recipe="linear", scale="standard", **options):
    schema = shop_schema()
    return fitted(recipe, schema, check_frame(schema, shop_rows(rows)).accepted, scale=scale, **options)


@pytest.mark.parametrize("recipe", LEARNERS)
@pytest.mark.parametrize("task", TASKS)
def test_every_recipe_learns_every_type_of_column_for_every_task(recipe, task):
    schema, frame = mixed_table(task, MIXES["all"], rows=400)
    _, unknown = mixed_table(task, MIXES["all"], rows=200, seed=8)

    answers = asked(fitted(recipe, schema, frame), schema, unknown)

    if task == "regression":
        assert answers.shape == (200,)
        assert np.corrcoef(answers, unknown["y"])[0, 1] > 0.5
    else:
        assert np.allclose(answers.sum(axis=1), 1)
        right = np.array(schema.target.classes, dtype=object)[answers.argmax(axis=1)] == unknown["y"].to_numpy(object)
        assert right.mean() > 1.4 / len(schema.target.classes)


@pytest.mark.parametrize(("recipe", "kinds"), offered_mixes("binary"))
def test_every_mix_of_columns_is_learned_with_missing_values(recipe, kinds):
    schema, frame = mixed_table("binary", kinds)

    answers = asked(fitted(recipe, schema, frame), schema, frame)

    assert np.isfinite(answers).all()


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_gives_the_same_answers(recipe, task):
    schema, frame = mixed_table(task, MIXES["all"])
    first, second = (asked(fitted(recipe, schema, frame, seed=3), schema, frame) for _ in range(2))

    assert (first == second).all()


def test_another_seed_is_another_forest():
    schema, frame = mixed_table("binary", MIXES["numbers"])
    _, unknown = mixed_table("binary", MIXES["numbers"], seed=8)
    first, second = (asked(fitted("extra_trees", schema, frame, seed=seed), schema, unknown) for seed in (3, 4))

    assert not (first == second).all()


@pytest.mark.parametrize("recipe", LEARNERS)
@pytest.mark.parametrize("task", TASKS)
def test_an_option_that_the_estimator_does_not_have_is_refused_by_name(recipe, task):
    with pytest.raises(BadInput, match=r"train\.options has depht, which \w+ does not know; it knows .*"):
        build(mixed_schema(task, ("numbers",)), recipe=recipe, scale="none", options={"depht": 3}, seed=7)


def test_several_unknown_options_are_reported_at_once():
    with pytest.raises(BadInput, match=r"has a, b, which"):
        build(shop_schema(), recipe="linear", scale="none", options={"b": 1, "a": 2, "C": 1.0}, seed=7)


@pytest.mark.parametrize(
    ("recipe", "option", "value", "allowed"),
    [
        ("hist_gradient_boosting", "scoring", "accuracy", "loss"),
        ("hist_gradient_boosting", "categorical_features", "from_dtype", None),
        ("k_neighbors", "algorithm", "kd_tree", "brute"),
    ],
)
def test_an_option_that_no_model_file_can_hold_is_refused_with_the_reason(recipe, option, value, allowed):
    with pytest.raises(BadInput, match=rf"{option}: '{value}', expected {allowed!r} for {recipe}: "):
        build(shop_schema(), recipe=recipe, scale="none", options={option: value}, seed=7)

    build(shop_schema(), recipe=recipe, scale="none", options={option: allowed}, seed=7)


def test_a_seasonal_recipe_needs_a_date():
    with pytest.raises(BadInput, match="the recipe seasonal needs a date among the features, and the table has none"):
        build(shop_schema(), recipe="seasonal", scale="none", options={}, seed=7)


@pytest.mark.parametrize("task", TASKS)
def test_the_constant_is_what_the_labels_were_whatever_is_asked(task):
    schema, frame = mixed_table(task, MIXES["all"])
    labels = frame["y"].to_numpy()

    answers = asked(fitted("constant", schema, frame), schema, frame)

    usual = np.median(labels) if task == "regression" else [(labels == each).mean() for each in schema.target.classes]
    assert np.allclose(answers, usual)


def test_the_seasonal_answer_is_the_mean_of_the_hour_and_the_weekday_and_of_no_other_column():
    schema = Schema.from_dict(
        {
            "columns": {"at": {"type": "date"}, "born": {"type": "date"}, "x": {"type": "number"}},
            "target": {"name": "y", "task": "regression"},
            "time": "at",
        }
    )
    at = pd.Series(pd.date_range("2024-01-01", periods=2000, freq="h"))
    usual = 10.0 * (at.dt.hour >= 8) + 5.0 * (at.dt.weekday >= 5)
    frame = pd.DataFrame({"at": at, "born": at.to_numpy()[::-1], "x": usual.to_numpy()[::-1], "y": usual})

    answers = asked(fitted("seasonal", schema, frame), schema, frame.assign(x=0.0, born=pd.Timestamp("1990-01-01")))

    assert np.allclose(answers, usual)


def test_options_outweigh_the_recipes_own():
    pipeline = build(shop_schema(), recipe="extra_trees", scale="none", options={"n_estimators": 3}, seed=7)

    assert pipeline.named_steps["model"].n_estimators == 3


def test_building_leaves_the_options_alone():
    options = {"C": 0.5, "text_dimensions": 3}

    build(mixed_schema("binary", ("texts",)), recipe="linear", scale="none", options=options, seed=7)

    assert options == {"C": 0.5, "text_dimensions": 3}


def test_options_of_texts_shape_the_texts_and_are_refused_where_there_is_none():
    schema, frame = mixed_table("binary", ("texts",))
    options = {"text_dimensions": 3, "text_analyzer": "word", "text_ngrams": 1}

    prepared = fitted("linear", schema, frame, **options)[:-1].transform(
        model_frame(arrays_of_frame(schema, frame), schema)
    )

    assert prepared.shape == (len(frame), 3)
    with pytest.raises(BadInput, match="has text_dimensions, and the table has no text column"):
        build(shop_schema(), recipe="linear", scale="none", options={"text_dimensions": 3}, seed=7)


@pytest.mark.parametrize(("shortest", "options"), [(1, {"text_ngrams": 1}), (2, {"text_ngrams": 5})])
def test_letters_are_counted_from_pairs_on_unless_less_is_asked_for(shortest, options):
    pipeline = build(mixed_schema("binary", ("texts",)), recipe="linear", scale="none", options=options, seed=7)

    (_, text, _) = pipeline["prepare"].transformers[0]
    assert text["hashingvectorizer"].ngram_range == (shortest, options["text_ngrams"])


def test_two_columns_of_texts_are_learned_apart():
    columns = {"one": {"type": "text"}, "two": {"type": "text"}}
    schema = Schema.from_dict({"columns": columns, "target": SHOP_TABLE["target"]})
    frame = check_frame(
        schema,
        mixed_rows("binary").assign(one="same", two=lambda rows: rows["title"].fillna("none"), bought="no")[
            ["one", "two", "bought"]
        ],
    ).accepted
    frame["bought"] = np.where(frame["two"].str.contains("red"), "yes", "no")
    frame["one"] = frame["two"].str[::-1]

    answers = asked(fitted("linear", schema, frame, text_dimensions=16), schema, frame)

    assert ((answers[:, 1] > 0.5) == (frame["bought"] == "yes")).mean() > 0.9


@pytest.mark.parametrize("names", [["price"], ["price", "weight"], ["kind"]])
def test_a_table_of_one_type_alone_is_learned_too(names):
    schema = Schema.from_dict({**SHOP_TABLE, "columns": {name: SHOP_TABLE["columns"][name] for name in names}})
    frame = check_frame(schema, shop_rows(120)).accepted

    assert asked(fitted("linear", schema, frame), schema, frame).shape == (120, 2)


def test_a_column_without_a_single_number_does_not_stop_it():
    schema = shop_schema()
    frame = check_frame(schema, shop_rows(120).assign(weight=np.nan)).accepted

    assert np.isfinite(asked(fitted("linear", schema, frame), schema, frame)).all()


@pytest.mark.parametrize("recipe", LEARNERS)
def test_an_unseen_category_is_no_error(recipe):
    schema, frame = mixed_table("binary", MIXES["categories"])

    answers = asked(fitted(recipe, schema, frame), schema, frame.assign(colour="unheard of"))

    assert np.isfinite(answers).all()


@pytest.mark.parametrize(
    ("known", "columns"),
    [(MOST_CATEGORIES - 1, MOST_CATEGORIES - 1), (MOST_CATEGORIES, MOST_CATEGORIES), (5000, MOST_CATEGORIES)],
)
def test_a_category_of_many_values_becomes_no_more_columns_than_allowed(known, columns):
    schema = Schema.from_dict({"columns": {"colour": {"type": "category"}}, "target": SHOP_TABLE["target"]})
    frame = mixed_rows("binary", rows=known).assign(colour=[f"c{n}" for n in range(known)])
    pipeline = build(schema, recipe="linear", scale="none", options={}, seed=7)

    prepared = pipeline["prepare"].fit_transform(model_frame(arrays_of_frame(schema, frame), schema))

    assert prepared.shape == (known, columns)


def test_boosting_learns_from_a_number_being_missing():
    schema = Schema.from_dict({"columns": {"x": {"type": "number", "nullable": True}}, "target": SHOP_TABLE["target"]})
    gone = np.arange(300) % 2 == 0
    rows = mixed_rows("binary", rows=300).assign(x=np.where(gone, np.nan, 1.0), bought=np.where(gone, "yes", "no"))
    frame = check_frame(schema, rows[["x", "bought"]]).accepted

    answers = asked(fitted("hist_gradient_boosting", schema, frame), schema, frame)

    assert ((answers[:, 1] > 0.5) == gone).all()


@pytest.mark.parametrize("unit", [0.01, 1.0, 1e6])
def test_a_support_vector_regression_does_not_depend_on_the_unit_of_the_target(unit):
    schema, frame = mixed_table("regression", MIXES["numbers"])
    plain = asked(fitted("svm", schema, frame), schema, frame)

    scaled = asked(fitted("svm", schema, frame.assign(y=frame["y"] * unit)), schema, frame)

    np.testing.assert_allclose(scaled / unit, plain, rtol=1e-3)


def test_the_frame_of_a_model_has_the_numbers_first_and_as_exact_as_float32():
    schema, frame = mixed_table("binary", MIXES["all"])

    features = model_frame(arrays_of_frame(schema, frame), schema)

    assert features.columns.tolist() == schema.model_names
    assert features["length"].dtype == np.float64
    assert (features["length"] == frame["length"].astype("float32").astype("float64")).all()
    assert features["title"].dtype == features["colour"].dtype == object
    assert (features["title"] == "").any()
