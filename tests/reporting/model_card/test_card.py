"""A card says what there is evidence of, and MISSING where there is none."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from releve.adapters.git_dvc.data_history import DataVersion
from releve.adapters.models.description import ModelDescription
from releve.core.params import GateOverride
from releve.domain.drift.two_sample_tests import Change
from releve.domain.drift.verdict import ColumnDrift, DriftState, DriftVerdict
from releve.domain.evaluation.conformal import ConformalIntervals, WindowCoverage
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.registry.chain import CHALLENGED, Event
from releve.reporting.blocks import MISSING
from releve.reporting.html import render_html
from releve.reporting.markdown import render_markdown
from releve.reporting.model_card.card import SECTIONS, build_model_card
from releve.reporting.model_card.record import ModelRecord
from tests.evaluations import GAIN, make_comparison, make_ensemble, make_evaluation
from tests.events import make_challenger
from tests.page_histories import make_event, make_run

TODAY = date(2026, 6, 1)
BINS = [
    {"low": 0.5, "high": 0.6, "rows": 20, "probability": 0.55, "accuracy": 0.6},
    {"low": 0.9, "high": 1.0, "rows": 100, "probability": 0.97, "accuracy": 0.95},
]
DIFFERENCE = {
    "attribute": "sex",
    "metric": "demographic_parity",
    "challenger": {"value": 0.11, "low": 0.05, "high": 0.19},
    "champion": 0.12,
    "left_out": {},
}
EVALUATION = make_evaluation(
    challenger={
        "score": {"value": 0.9, "low": 0.83, "high": 0.95},
        "metrics": {"accuracy": 0.9, "auc": 0.95},
        "calibration": {"error": 0.04, "bins": BINS},
    },
    against={Opponent.CHAMPION: make_comparison(0.8), Opponent.MAJORITY_LABEL: make_comparison(0.55)},
    slices=[{"column": "kind", "value": "apple", "rows": 26, "challenger": 0.96, "champion": 0.6, "gain": GAIN}],
    fairness=[DIFFERENCE],
    groups=[
        {"column": "sex", "value": "f", "rows": 70, "score": {"value": 0.92, "low": 0.85, "high": 0.97}},
        {"column": "sex", "value": "m", "rows": 60, "score": {"value": 0.8, "low": 0.7, "high": 0.88}},
        {"column": "sex", "value": "", "rows": 4, "score": None},
    ],
    importances={
        "rows": 120,
        "features": [
            {"feature": "price", "loss": {"value": 0.3, "low": 0.25, "high": 0.35}},
            {"feature": "sex", "loss": {"value": 0.01, "low": -0.02, "high": 0.04}},
        ],
    },
).model_dump(mode="json")
CHALLENGER = make_challenger(
    "shop:1",
    rows=320,
    champion="shop:0",
    evaluation=EVALUATION,
    overrides=[GateOverride(floor="fairness", by="Ana", reason="a pilot", until=TODAY)],
).model_dump(mode="json")
SCHEMA = {
    "target": {"name": "bought", "classes": ["no", "yes"], "positive": "yes"},
    "columns": {
        "price": {"type": "number", "min": 0, "max": 100},
        "sex": {"type": "category", "categories": ["f", "m"], "nullable": True, "feature": False},
    },
}
DESCRIPTION = ModelDescription.model_validate(
    {
        "scenario": "shop",
        "task": "binary",
        "runtime": "onnx",
        "parity": None,
        "classes": ["no", "yes"],
        "rows": 320,
        "schema": SCHEMA,
        "embedder": {"low": [0], "high": [100], "categories": []},
        "ensemble": make_ensemble().model_dump(mode="json"),
        "golden": {"rows": [{}, {}], "labels": ["no", "yes"]},
        "sanity": {"rows": 200, "tried": 4, "worst": [], "broken": []},
        "environment": {"python": "3.11.7", "platform": "Linux"},
    }
)
CHANGES = (("price", 0.001, 0.3, True), ("weight", 0.9, 0.01, False))
DRIFT = DriftVerdict(
    DriftState.DRIFT,
    rows=300,
    reference_rows=900,
    columns=tuple(
        ColumnDrift(name, "ks", Change(p_value, effect), 0.01, drifted) for name, p_value, effect, drifted in CHANGES
    ),
)


def judgement(**changes: Any) -> Event:
    return make_event(CHALLENGED, CHALLENGER | changes, day=146.5, reason="drift")


FULL = ModelRecord(
    model="shop:1",
    today=TODAY,
    state="champion",
    judgement=judgement(),
    description=DESCRIPTION,
    texts={"purpose": "say who buys", "limits": "adults only", "owner": "the shop, shop@x.org"},
    data=DataVersion("00000002-df90e63e", 120, 2, 320, "cd" * 16, "ef" * 20, "2026-05-31T11:00:00+00:00"),
    monitoring=make_run(drift=DRIFT),
    lineage={
        "git revision": "ef" * 20,
        "model digest": "ab" * 32,
        "data version": "cd" * 16,
        "params digest": "12" * 32,
        "requirements.lock digest": "34" * 32,
    },
    history=[judgement()],
)


def section_of(record: ModelRecord, section: str) -> str:
    """A section of the card as Markdown."""
    return render_markdown(build_model_card(record)).split(f"## {section}\n")[1].split("\n## ")[0]


def with_evaluation(**changes: object) -> ModelRecord:
    return replace(FULL, judgement=judgement(evaluation=EVALUATION | changes))


def test_where_everything_is_known_nothing_is_missing():
    card = build_model_card(FULL)

    assert card.missing == 0
    assert MISSING not in render_markdown(card) + render_html(card)
    assert [section.title for section in card.sections] == list(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_where_nothing_is_known_every_section_is_there_and_says_so(section):
    assert MISSING in section_of(ModelRecord("shop:1", TODAY), section)


@pytest.mark.parametrize("name", ["purpose", "limits", "owner"])
def test_what_a_person_did_not_say_is_missing_in_its_place(name):
    texts = {**FULL.texts, name: ""}

    assert f"| {name} | {MISSING} |" in section_of(replace(FULL, texts=texts), "What it is for")


@pytest.mark.parametrize(
    ("section", "line"),
    [
        (
            "Quality on the newest windows",
            "0.900 [0.830, 0.950] at 95% confidence, on the 120 rows of the newest window",
        ),
        ("Quality on the newest windows", "| champion | 0.800 | +0.100 [+0.020, +0.180] |"),
        ("Quality on the newest windows", "| auc | 0.950 |"),
        ("Strongest features", "| feature | loss of accuracy [95% interval] |"),
        ("Strongest features", "| price | +0.300 [+0.250, +0.350] |"),
        ("Strongest features", "Features that say nearly the same share their importance"),
        ("Fairness", "| sex | f | 70 | 0.920 [0.850, 0.970] | the best |"),
        ("Fairness", "| sex | m | 60 | 0.800 [0.700, 0.880] | -0.120 [-0.232, -0.014] |"),
        ("Fairness", "| sex | missing cells | 4 | too few rows |  |"),
        ("Members", "refitted on all labelled rows of its window, those that are judged on included"),
        ("Members", "| hist_gradient_boosting: the defaults | the newest 2 batches | 320 | 40% | 0.440 |"),
        ("Members", "svm C=0.123 joined the pool: a gain of +0.100 [+0.020, +0.180]"),
        ("Data", "| sex | category | f, m; may be missing | no |"),
        ("Fairness", "| 0.110 [0.050, 0.190] | 0.120 |"),
    ],
)
def test_each_section_has_its_figures_with_their_intervals(section, line):
    assert line in section_of(FULL, section)


def test_a_score_that_is_too_good_to_be_true_is_called_so_at_the_head_and_beside_the_score():
    leak = {"column": "refund", "share": 0.99}
    found = {"rows": 120, "baseline": "majority label", "left": 0.001, "columns": [leak]}
    record = with_evaluation(too_good=found)

    assert "which may be too good to be true" in build_model_card(record).summary
    text = section_of(record, "Quality on the newest windows")
    assert "too good to be true: on 120 rows the model makes 0.10% of the error of the majority label" in text
    assert "refund (99%)" in text
    assert "too good" not in render_markdown(build_model_card(FULL))


def test_a_first_champion_is_called_one():
    against = {"majority label": EVALUATION["against"]["majority label"]}

    assert "this is the first one" in section_of(with_evaluation(against=against), "Quality on the newest windows")


def test_of_two_repeated_labels_the_card_says_what_each_knows():
    one = EVALUATION["against"]["majority label"]
    against = {"previous label": one, "label of the row before": one | {"must_beat": False}}

    text = section_of(with_evaluation(against=against), "Quality on the newest windows")

    assert "| previous label (the newest that has arrived) | 0.550 |" in text
    assert "| label of the row before (as if every label arrived at once) | 0.550 |" in text


@pytest.mark.parametrize(("today", "standing"), [("2026-06-01", "in force"), ("2026-06-02", "EXPIRED")])
def test_an_override_is_in_force_until_the_end_of_its_last_day(today, standing):
    text = section_of(replace(FULL, today=date.fromisoformat(today)), "Gate")

    assert f"| fairness | Ana | a pilot | 2026-06-01 | {standing} |" in text


def test_only_drifted_columns_are_named():
    text = section_of(FULL, "Drift at the time")

    assert "| price | ks | 0.300 | 0.001 |" in text
    assert "weight" not in text


def of_numbers(intervals):
    table = SCHEMA | {"target": {"name": "cost", "task": "regression", "min": 0}}
    changes = {"task": "regression", "table": table, "intervals": intervals}
    return replace(FULL, description=DESCRIPTION.model_copy(update=changes))


def test_numbers_have_no_classes():
    assert "| range | at least 0 |" in section_of(of_numbers(None), "What it is for")


def test_numbers_are_calibrated_by_their_intervals_and_what_these_held():
    intervals = ConformalIntervals(
        confidence=0.9,
        alpha=0.08,
        rows=1200,
        edges=(2.0, 5.5),
        half_widths=(1.0, 2.0, 4.25),
        windows=(WindowCoverage(rows=400, covered=360), WindowCoverage(rows=400, covered=320)),
    )

    text = section_of(of_numbers(intervals), "Calibration")

    assert "the errors of 1,200 answers" in text
    assert "| promised | 0.9 |" in text
    assert "| level now | 0.92 |" in text
    assert "| up to 2 | 1 |" in text
    assert "| 2 to 5.5 | 2 |" in text
    assert "| above 5.5 | 4.25 |" in text
    assert "| 1 | 400 | 0.900 [0.873, 0.922] |" in text
    assert "| 2 | 400 | 0.800 [0.765, 0.831] |" in text


def test_numbers_of_one_size_have_one_half_width_and_a_first_window_tries_none():
    intervals = ConformalIntervals(confidence=0.95, alpha=0.05, rows=60, edges=(), half_widths=(3.0,), windows=())

    text = section_of(of_numbers(intervals), "Calibration")

    assert "| any | 3 |" in text
    assert "No window has come since" in text


def test_numbers_without_an_interval_say_why():
    assert "too few rows were answered before" in section_of(of_numbers(None), "Calibration")


def test_groups_too_small_to_be_compared_are_named_with_their_rows():
    line = DIFFERENCE | {"left_out": {"x": 12, "": 3}}

    assert "| 0.120 | x (12 rows), missing cells (3 rows) |" in section_of(with_evaluation(fairness=[line]), "Fairness")


def test_groups_too_small_to_compare_are_missing_evidence():
    text = section_of(with_evaluation(unknown_groups=["sex"], fairness=[]), "Fairness")

    assert f"{MISSING}: too few groups were large enough to compare: sex." in text


def test_the_page_loads_nothing_from_elsewhere_and_draws_its_charts():
    html = render_html(build_model_card(FULL))

    assert not any(f"<{tag}" in html for tag in ("link", "script", "iframe", "img"))
    assert not any(f" {attribute}=" in html for attribute in ("src", "href"))
    assert html.count("<svg") == 2 * 4  # each for a wide and for a narrow window
