"""The rows whose label decides between champion and challenger, out as a file and back."""

import csv
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.cli.app import main
from releve.core.errors import BadInput, NotFound
from releve.domain.arms.arms import ArmMode
from releve.domain.arms.label_queue import Selection
from releve.domain.registry.events import ModelReleased, ReleaseChange
from tasks.arms.label_queue import ANSWERS, SELECTION, write_queue
from tasks.arms.returned_labels import read_labels
from tasks.ingestion.harvest import unharvested
from tests.events import make_any_release, make_arms_started
from tests.repositories import write
from tests.tables import SHOP
from tests.tasks.shop import Shop, market_rows

CHAMPION, CHALLENGER = "shop:one", "shop:two"
ROWS = market_rows(6, seed=3)
LATER = datetime.now(UTC) + timedelta(days=3)


@pytest.fixture
def shop(fresh) -> Shop:
    """A champion with a shadow, compared by accuracy as the shop is judged."""
    released = ModelReleased(release=make_any_release(CHAMPION), change=ReleaseChange.FIRST)
    fresh.registry.move(SHOP, released, expected=None, reason="", actor="test")
    start(fresh, ArmMode.SHADOW)
    return fresh


def start(shop: Shop, mode: ArmMode, share: float = 0.0) -> None:
    running = shop.registry.arms(SHOP)
    arms = make_arms_started(CHAMPION, CHALLENGER, mode=mode, share=share)
    expected = running.number if running else None
    shop.registry.start_arms(SHOP, arms, expected=expected, reason="", actor="test")


def shadow(shop: Shop, request: str, labels: list[str]) -> None:
    with closing(LedgerWriter(shop.state.ledger, SHOP, clock=lambda: datetime.now(UTC))) as ledger:
        ledger.shadow(of=request, model=CHALLENGER, index=None, labels=labels, probabilities=None, latency_ms=1.0)


def answered(shop: Shop, *, labels=()) -> str:
    """Six rows; on the last three the shadow says something else."""
    request = shop.answer(ROWS, predicted=["yes"] * 6, labels=list(labels))
    shadow(shop, request, ["yes"] * 3 + ["no"] * 3)
    return request


def queue(shop: Shop, **options):
    return write_queue(shop.settings, SHOP, clock=lambda: LATER, **options)


def read(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def fill(path, labels: dict[str, str]) -> None:
    """Fill labels in by row id, as a person does."""
    rows = [{**row, "bought": labels.get(row["_answer_id"], "")} for row in read(path)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_rows_on_which_the_arms_disagree_are_asked_for_and_nothing_tells_who_said_what(shop):
    request = answered(shop, labels=["yes", "no"])

    found = queue(shop)

    rows = read(found.path)
    assert (found.selection, found.rows, found.more, found.waiting) == (Selection.DISAGREEMENT, 3, 0, 0)
    assert {row["_answer_id"] for row in rows} == {f"{request}.{place}" for place in (3, 4, 5)}
    assert list(rows[0]) == ["_answer_id", SELECTION, "price", "weight", "kind", "bought"]
    assert {row["bought"] for row in rows} == {""}
    assert {float(row["price"]) for row in rows} == set(ROWS["price"][3:])


def test_answers_are_shown_to_who_asks_and_the_oldest_rows_come_first(shop):
    oldest = answered(shop)
    answered(shop)

    found = queue(shop, most=3, with_answers=True)

    rows = read(found.path)
    assert {row["_answer_id"].rpartition(".")[0] for row in rows} == {oldest}
    assert [tuple(row[name] for name in ANSWERS.values()) for row in rows] == [("yes", "no")] * 3
    assert found.more == 3


def test_a_label_that_may_still_come_by_itself_is_not_asked_for(shop):
    answered(shop)

    found = write_queue(shop.settings, SHOP, clock=lambda: datetime.now(UTC))

    assert (found.path, found.rows, found.waiting) == (None, 0, 3)


def test_another_metric_needs_the_labels_of_all_rows(shop):
    shop.override(gate={"metric": "log_loss"})
    answered(shop, labels=["yes"])

    found = queue(shop)

    assert (found.metric, found.selection, found.rows) == ("log_loss", Selection.ALL, 5)


def test_so_do_arms_that_answered_different_rows_at_any_time(shop):
    start(shop, ArmMode.CANARY, share=0.1)
    answered(shop)
    start(shop, ArmMode.SHADOW)

    assert queue(shop).selection is Selection.ALL


def test_labels_that_come_back_are_for_the_comparison_alone(shop):
    request = answered(shop, labels=["yes"])
    path = queue(shop).path
    fill(path, {f"{request}.3": "no", f"{request}.4": "yes"})

    returned = read_labels(shop.settings, SHOP, path)

    assert (returned.rows, returned.accepted, returned.unfilled, returned.rejected) == (3, 2, 1, [])
    ledger = LedgerReader(shop.state.ledger)
    assert {name: label for name, (label, _) in ledger.labels(with_queued=True).items()} == {
        f"{request}.0": "yes",
        f"{request}.3": "no",
        f"{request}.4": "yes",
    }
    assert list(ledger.labels()) == [f"{request}.0"]
    assert unharvested(shop.settings, SHOP).answers.ids == [f"{request}.0"]
    assert [row["_answer_id"] for row in read(queue(shop, path=path.with_name("again.csv")).path)] == [f"{request}.5"]


def test_labels_of_all_rows_are_labels_like_any_other(shop):
    shop.override(gate={"metric": "log_loss"})
    request = answered(shop)
    path = queue(shop).path
    fill(path, {f"{request}.{place}": "no" for place in range(6)})

    assert read_labels(shop.settings, SHOP, path).accepted == 6

    assert len(LedgerReader(shop.state.ledger).labels()) == 6


def test_every_row_that_is_rejected_says_why_and_the_others_are_taken(shop):
    request = answered(shop)
    unknown = f"{request[:-6]}ffffff.0"
    lines = [
        f"{request}.3,disagreement,no",
        f"{request}.4,disagreement,perhaps",
        f"{unknown},disagreement,no",
        f"{request}.5,chosen,no",
        f"{request}.3,disagreement,yes",
        f"{request}.5,disagreement,",
        f"{request}.0,disagreement,no",
    ]
    path = write(shop.root / "filled.csv", "\n".join(["_answer_id,_selection,bought", *lines, ""]))
    shop.label(request, ["yes"])

    returned = read_labels(shop.settings, SHOP, path)

    assert (returned.rows, returned.accepted, returned.unfilled) == (7, 1, 1)
    reasons = {problem.row: problem.reason for problem in returned.rejected}
    assert "'perhaps'" in reasons[3]
    assert "names no answer of this scenario" in reasons[4]
    assert "leave it as it was written" in reasons[5]
    assert "and 'no' further up" in reasons[6]
    assert "and 'yes' came by itself meanwhile" in reasons[8]


def test_reading_a_file_again_changes_nothing_and_a_corrected_one_does(shop):
    request = answered(shop)
    path = queue(shop).path
    ledger = LedgerReader(shop.state.ledger)
    fill(path, {f"{request}.3": "no"})
    read_labels(shop.settings, SHOP, path)
    first = ledger.labels(with_queued=True)

    again = read_labels(shop.settings, SHOP, path)

    assert again.accepted == 1
    assert ledger.labels(with_queued=True) == first
    fill(path, {f"{request}.3": "yes"})
    read_labels(shop.settings, SHOP, path)
    assert ledger.labels(with_queued=True)[f"{request}.3"][0] == "yes"
    assert ledger.labels() == {}


def test_what_is_no_label_queue_is_refused(shop):
    path = write(shop.root / "other.csv", "id,bought\n1,yes\n")

    with pytest.raises(BadInput, match="_answer_id"):
        read_labels(shop.settings, SHOP, path)


def test_a_file_that_is_there_already_is_left_alone(shop):
    answered(shop)
    path = write(shop.root / "mine.csv", "half filled in\n")

    with pytest.raises(BadInput, match="is there already"):
        queue(shop, path=path)


def test_without_a_challenger_nothing_is_asked_for(fresh):
    with pytest.raises(NotFound, match="no challenger of shop takes part"):
        queue(fresh)


def test_the_commands_say_what_is_asked_for_and_what_became_of_each_row(shop, monkeypatch, capsys):
    monkeypatch.setenv("RELEVE_PROJECT", str(shop.root))
    monkeypatch.setenv("RELEVE_HOME", str(shop.settings.home))
    shop.override(arms={"label_delay_hours": 0})
    request = answered(shop)
    path = shop.root / "queue.csv"

    assert main(["label-queue", SHOP, "--out", str(path), "--most", "2"]) == 0

    asked = capsys.readouterr().out.splitlines()
    assert asked[0].endswith("only rows on which they disagree decide")
    assert asked[1:] == [
        f"2 rows without a label in {path}",
        f"fill in the last column, then: releve labels shop {path}",
        "1 more need one, all of them newer",
    ]
    fill(path, {f"{request}.3": "no", f"{request}.4": "perhaps"})

    assert main(["labels", SHOP, str(path)]) == 1

    counts, problem = capsys.readouterr().out.splitlines()
    assert counts == "queue.csv: 2 rows, 1 label accepted, 0 still empty, 1 rejected"
    assert "bought is 'perhaps', expected one of no, yes" in problem
