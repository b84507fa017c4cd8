import json

import numpy as np
import pytest

from releve.rules.policies import Policy
from releve.rules.replay import Played, Turn
from releve.rules.replay_figures import BY_LUCK, figures, naive
from releve.rules.replay_text import advice, markdown, recommended_settings
from releve.rules.trigger import TriggerDecision
from tests.streams import still, stream, stream_course

COURSE = stream_course(stream(angle=still))
ANSWERED = COURSE.rows - COURSE.start


def played(name, *, wrong, retrainings, gated=True, first=0):
    """Answers of which `wrong` rows, every tenth from `first` on, are wrong."""
    truth = COURSE.bench.rows["kind"].iloc[COURSE.start :].eq("yes").to_numpy().astype(float)
    places = (first + np.arange(wrong) * 10) % ANSWERED
    truth[places] = 1 - truth[places]
    settings = {"trigger.policy": "static" if name == "static" else "every", "trigger.min_new_rows": 1}
    turns = [Turn(number, TriggerDecision(True, ()), promoted=True) for number in range(1, retrainings + 1)]
    return Played(Policy(name, settings, gated=gated), np.column_stack([1 - truth, truth]), turns, seconds=1.0)


def found_of(*each):
    return figures("kinds", COURSE, each)


def test_what_cannot_be_told_from_the_best_and_is_cheaper_is_recommended():
    found = found_of(
        played("static", wrong=55, retrainings=0),
        played("dear", wrong=20, retrainings=5),
        played("cheap", wrong=21, retrainings=2, first=3),
    )

    assert found["recommended"]["policy"] == "cheap"
    assert BY_LUCK in found["recommended"]["reason"]
    assert "'dear'" in found["recommended"]["reason"]


def test_what_is_clearly_the_best_is_recommended_whatever_it_costs():
    found = found_of(played("static", wrong=59, retrainings=0), played("dear", wrong=5, retrainings=5))

    assert found["recommended"]["policy"] == "dear"
    assert BY_LUCK not in found["recommended"]["reason"]


def test_what_skips_the_gate_is_never_recommended():
    found = found_of(
        played("static", wrong=59, retrainings=0),
        played("gated", wrong=30, retrainings=5),
        played("freely", wrong=0, retrainings=5, gated=False),
    )

    assert found["recommended"]["policy"] == "gated"
    assert recommended_settings(found)["trigger.policy"] == "every"


@pytest.mark.parametrize(
    ("policy", "rows"), [("every", 98), ("schedule", 98), ("static", 1), ("drift", 1), ("two_key", 1), ("auto", 1)]
)
def test_a_policy_by_the_window_waits_in_production_for_as_many_rows_as_the_smallest_window_had(policy, rows):
    settings = {"trigger.policy": policy, "trigger.min_new_rows": 1}
    found = {
        "windows": [{"rows": 100}, {"rows": 98}, {"rows": 99}],
        "policies": [{"name": "it", "settings": settings}],
        "recommended": {"policy": "it"},
    }

    written = recommended_settings(found)

    assert written == {"trigger.policy": policy, "trigger.min_new_rows": rows}
    assert settings["trigger.min_new_rows"] == 1


def test_gains_and_regrets_are_differences_of_the_same_rows():
    found = found_of(played("static", wrong=55, retrainings=0), played("dear", wrong=20, retrainings=5))
    static, dear = found["policies"]

    assert dear["score"]["value"] == pytest.approx(1 - 20 / ANSWERED, abs=1e-5)
    assert dear["gain_over_static"]["value"] == pytest.approx(35 / ANSWERED, abs=1e-5)
    assert static["regret"] == dear["gain_over_static"]
    assert dear["regret"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert dear["gain_over_static"]["low"] > 0
    assert np.mean(dear["scores"]) == pytest.approx(dear["score"]["value"], abs=1e-5)


def test_the_result_is_plain_json_with_a_line_per_policy_and_per_naive_baseline():
    found = found_of(played("static", wrong=55, retrainings=0), played("dear", wrong=20, retrainings=2))

    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["format"] == 1
    assert [window["number"] for window in found["windows"]] == [1, 2, 3, 4, 5, 6]
    assert (found["policies"][1]["retrainings"], found["policies"][1]["retrained_at"]) == (2, [1, 2])
    assert {"majority label", "previous label"} <= {each["name"] for each in found["baselines"]}
    page = markdown(found)
    assert all(f"| {name} |" in page for name in ("static", "dear", "naive: majority label"))
    assert advice(found) in page


@pytest.mark.parametrize(("delay", "there"), [(0, True), (1, False)])
def test_late_labels_leave_no_label_of_the_row_before_to_repeat(delay, there):
    course = stream_course(stream(angle=still), replay={"label_delay_windows": delay})

    assert ("label of the row before" in naive(course)) is there
