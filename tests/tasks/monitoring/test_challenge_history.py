import pytest

from releve.adapters.registry.registry import Registry
from releve.domain.evaluation.intervals import Interval
from releve.domain.quality.payoff import Payoff
from releve.domain.registry.events import BatchOrigin, ModelReleased, ModelRolledBack, ModelWithdrawn
from releve.domain.registry.search_outcome import SearchOutcome
from tasks.monitoring.challenge_history import (
    answers_of_a_batch,
    challenges_of,
    new_batches,
    payoffs_of,
    rows_since_broken,
    runs_of,
)
from tests.events import make_challenger, make_ingested
from tests.page_histories import RELEASE, drift, make_run
from tests.tables import SHOP, make_params

LEAST = 100  # labelled answers that are one batch


@pytest.fixture
def registry(tmp_path):
    return Registry(f"sqlite:///{tmp_path}/registry.db")


def write(registry, payload):
    registry.append(SHOP, payload, reason="as it went", actor="Ada")


def ingest(registry, source, rows=100, origin=BatchOrigin.FILE):
    write(registry, make_ingested(source, rows=rows, origin=origin))


def challenge(registry, *, promote=True):
    write(registry, make_challenger(f"{SHOP}:1", promote=promote, rows=100))


def run(registry, **changes):
    write(registry, make_run(**changes))


def test_before_the_first_challenge_there_is_no_history(registry):
    assert challenges_of(registry, SHOP).challenges == ()
    assert new_batches(registry, SHOP, waiting=0, batch_rows=LEAST) == 0


@pytest.mark.parametrize(("waiting", "batches"), [(0, 1), (99, 1), (100, 2), (450, 5)])
def test_labelled_answers_are_batches_before_they_are_harvested(waiting, batches, registry):
    """They are harvested when a challenge is due: counted as the one file they become, none would ever be."""
    challenge(registry)
    ingest(registry, "march.csv", rows=5000)

    assert new_batches(registry, SHOP, waiting=waiting, batch_rows=LEAST) == batches


@pytest.mark.parametrize(
    ("origin", "rows", "batches"),
    [
        (BatchOrigin.ANSWERS, 20, 1),
        (BatchOrigin.ANSWERS, 100, 1),
        (BatchOrigin.ANSWERS, 450, 4),
        (BatchOrigin.FILE, 450, 1),  # whatever its name
        (BatchOrigin.QUERY, 450, 1),
    ],
)
def test_a_harvest_counts_as_many_batches_as_its_rows_did_before(origin, rows, batches, registry):
    challenge(registry)
    ingest(registry, "answers-0001.parquet", rows=rows, origin=origin)

    assert new_batches(registry, SHOP, waiting=0, batch_rows=LEAST) == batches


@pytest.mark.parametrize(("min_new_rows", "rows"), [(1, 90), (90, 90), (91, 91)])
def test_fewer_answers_than_the_gate_can_judge_on_are_no_batch(min_new_rows, rows):
    params = make_params(trigger={"min_new_rows": min_new_rows}, statistics={"min_rows": 90})

    assert answers_of_a_batch(params) == rows


@pytest.mark.parametrize(
    ("earlier", "since"),
    [
        ([], 0),
        ([("no drift", 300)], 0),
        ([("broken data", 300)], 100),
        ([("broken data", 100), ("no drift", 200), ("broken data", 300), ("broken data", 350)], 100),
        ([("broken data", 400), ("broken data", 400)], 0),  # the same rows again
    ],
)
def test_rows_are_counted_from_the_first_of_the_runs_in_a_row_that_found_broken_data(earlier, since):
    runs = [make_run(drift=drift(state), rows=rows) for state, rows in earlier]

    assert rows_since_broken(runs, rows=400) == since


def test_a_challenge_that_searched_is_known_as_one(registry):
    challenge(registry)
    write(registry, make_challenger(f"{SHOP}:2", search="drift on cd"))
    challenge(registry)

    history = challenges_of(registry, SHOP)
    assert [each.searched for each in history.challenges] == [False, True, False]
    assert history.last_search == history.challenges[1]


def test_searches_in_a_row_that_gained_nothing_are_counted_and_judging_one_again_is_no_search(registry):
    def searched(on, **outcome):
        found = SearchOutcome(proposed="svm", **outcome)
        write(registry, make_challenger(search=f"drift on {on}", search_outcome=found))

    counts = []
    for on, joined in [("a", False), ("b", True), ("c", False), ("c", False), ("d", False)]:
        searched(on, joined=joined)
        challenge(registry)
        counts.append(challenges_of(registry, SHOP).idle_searches)

    assert counts == [1, 0, 1, 1, 2]


def knew(registry, model, *gains):
    """Runs of that release, of which each knew that gain of its promotion; None: nothing yet."""
    for rows, gain in enumerate(gains, start=1):
        payoff = None if gain is None else Payoff(Interval(gain, gain - 0.1, gain + 0.1), 90 * rows)
        run(registry, model=f"{SHOP}:{model}", payoff=payoff)


def gains_of(payoffs):
    return [payoff.gain.value for payoff in payoffs]


def test_payoffs_are_told_apart_by_promotion_and_an_earlier_one_is_as_it_was_known_last(registry):
    knew(registry, 1, None)
    knew(registry, 2, 0.1, 0.2)
    knew(registry, 3, None, 0.3)
    knew(registry, 4, None, 0.4, 0.5)

    own, earlier = payoffs_of(registry, SHOP, runs_of(registry, SHOP), champion=f"{SHOP}:4")

    assert (gains_of(own), gains_of(earlier)) == ([0.4, 0.5], [0.2, 0.3])


@pytest.mark.parametrize("moved", [ModelRolledBack(release=RELEASE), ModelWithdrawn()])
def test_what_was_known_before_a_rollback_or_a_withdrawal_is_not_pooled_with_what_came_after(registry, moved):
    knew(registry, 2, 0.2)
    current = registry.move(SHOP, ModelReleased(release=RELEASE), expected=None, reason="", actor="Ada")
    registry.move(SHOP, moved, expected=current.number, reason="", actor="Ada")
    knew(registry, 3, 0.3)
    knew(registry, 4, 0.4)

    own, earlier = payoffs_of(registry, SHOP, runs_of(registry, SHOP), champion=f"{SHOP}:4")

    assert (gains_of(own), gains_of(earlier)) == ([0.4], [0.3])
