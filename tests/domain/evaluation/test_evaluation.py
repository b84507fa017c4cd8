import json

import pytest

from releve.core.documents import parse_document
from releve.core.errors import BadInput
from releve.domain.evaluation.evaluation import Evaluation, Opponent, SliceComparison
from tests.evaluations import make_comparison, make_evaluation


def test_an_evaluation_is_read_as_it_is_written():
    found = make_evaluation(too_good={"rows": 300, "baseline": Opponent.MAJORITY_LABEL, "left": 0.01})

    assert parse_document(found.model_dump_json(), Evaluation, source="evaluation.json") == found


@pytest.mark.parametrize(
    ("change", "key"), [({"format": 2}, "format"), ({"metric": None}, "metric"), ({"chance": 0.1}, "chance")]
)
def test_an_evaluation_of_another_version_is_rejected_by_the_key_that_differs(change, key):
    text = json.dumps(make_evaluation().model_dump(mode="json") | change)

    with pytest.raises(BadInput, match=f"results/shop/evaluation.json is not as .*: its '{key}' is "):
        parse_document(text, Evaluation, source="results/shop/evaluation.json")


def test_the_champion_is_no_baseline_and_neither_is_what_need_not_be_beaten():
    easy = make_comparison(must_beat=False)
    found = make_evaluation(against={Opponent.CHAMPION: make_comparison(), Opponent.ROW_BEFORE: easy})

    assert found.champion == make_comparison()
    assert list(found.baselines_to_beat) == []


@pytest.mark.parametrize(("value", "name"), [("missing", "kind = missing"), ("", "kind is missing")])
def test_a_slice_of_missing_cells_has_a_name_of_its_own(value, name):
    found = SliceComparison(column="kind", value=value, rows=9, challenger=0.5, champion=None, gain=None)

    assert found.name == name
