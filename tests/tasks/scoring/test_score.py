"""A table in, an answer or a reason for each of its rows out."""

import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from releve.adapters.compute import open_workers
from releve.adapters.journal import LineJournal
from releve.adapters.models.model_runtime import ModelAltered
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.adapters.registry.registry import Registry
from releve.core.errors import BadInput, Conflict, NotFound, Unavailable
from releve.domain.arms.arms import Arm
from releve.domain.registry.events import ModelWithdrawn
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.schema import Schema
from releve.serving.prediction import predict, sent_numbers
from releve.serving.scenarios.scenario import NoRelease
from tasks.scoring.score import check_answered
from tests.domain.decision.tables import a_rule, make_table
from tests.s3 import Store
from tests.tables import DARK, MESSAGES, RENTALS, SHOP, messages_rows, rentals_rows
from tests.tasks.scoring.conftest import ORDERS_TABLE, Scored, order_rows

READERS = {
    "": lambda path: pd.read_parquet(path),
    ".csv": lambda path: pd.concat(map(pd.read_csv, sorted(path.glob("part-*.csv"))), ignore_index=True),
    ".jsonl": lambda path: pd.DataFrame(
        [json.loads(line) for part in sorted(path.glob("part-*.jsonl")) for line in part.read_text().splitlines()]
    ),
}


def answers(folder: Path) -> pd.DataFrame:
    return READERS[folder.suffix](folder)


def served(project: Scored, rows: list[dict]):
    """What the service would answer to these rows."""
    model = ModelStore(project.settings.home).load(f"{project.name}:one")
    return predict(model, arrays_of_rows(model.schema, rows), rows)


def as_request(frame: pd.DataFrame) -> list[dict]:
    return json.loads(frame.to_json(orient="records", date_format="iso"))


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_each_row_gets_the_answer_of_the_service_in_the_order_of_the_input(shop: Scored, ending: str) -> None:
    frame = order_rows(300, seed=3).drop(columns="bought")

    done = shop.score(shop.put(f"orders{ending}", frame))

    table = answers(shop.out)
    expected = served(shop, as_request(frame))
    assert (done.manifest.rows, done.manifest.answered, done.manifest.rejected) == (300, 300, 0)
    assert table["order"].tolist() == frame["order"].tolist()
    assert table["label"].tolist() == expected.labels
    assert table[["probabilities.no", "probabilities.yes"]].to_numpy().tolist() == expected.probabilities
    assert table["probability"].tolist() == [max(row) for row in expected.probabilities]
    first = 2 if ending == ".csv" else 1  # as the file counts
    assert table["_row"].tolist() == list(range(first, 300 + first))


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_the_ending_of_the_output_chooses_the_form_of_its_parts(shop: Scored, ending: str) -> None:
    path = shop.put("orders.csv", order_rows(50))
    shop.score(path)

    done = shop.score(path, shop.root / f"other{ending}")

    table, expected = answers(done.folder), answers(shop.out)
    assert table["label"].tolist() == expected["label"].tolist()
    if ending == ".jsonl":  # as the service answers: an object
        assert [each["yes"] for each in table["probabilities"]] == expected["probabilities.yes"].tolist()
    else:
        assert table.columns.tolist() == expected.columns.tolist()


def test_a_regression_is_answered_with_its_value_and_interval(scored: Callable[..., Scored], tmp_path: Path) -> None:
    rentals, frame = scored(RENTALS, tmp_path), rentals_rows(60, seed=9)

    rentals.score(rentals.put("rentals.parquet", frame))

    table = answers(rentals.out)
    expected = served(rentals, as_request(frame[["temperature", "day", "season", "note", "sky"]]))
    assert table["value"].tolist() == sent_numbers(expected.labels)
    assert table[["interval.low", "interval.high"]].to_numpy().tolist() == expected.intervals
    assert table["station"].tolist() == frame["station"].tolist()
    assert "label" not in table


def test_images_are_read_from_the_folder_that_ingestion_reads_them_from(scored, tmp_path, monkeypatch) -> None:
    import base64

    monkeypatch.setattr("tasks.ingestion.intake.ROWS_WITH_IMAGES", 4)
    rentals, frame = scored(RENTALS, tmp_path), rentals_rows(10, seed=9)
    rentals.state.images.mkdir(parents=True)
    (rentals.state.images / "dark.png").write_bytes(base64.b64decode(DARK))
    by_path = frame.assign(sky=["dark.png"] * 9 + ["gone.png"])

    done = rentals.score(rentals.put("rentals.csv", by_path))

    whole = rentals.score(rentals.put("whole.csv", frame.assign(sky=DARK)), rentals.root / "whole")
    assert answers(done.folder)["value"].tolist() == answers(whole.folder)["value"].tolist()[:9]
    assert "there is no such file" in pd.read_parquet(rentals.out / "_rejected")["reason"].item()


def test_texts_are_answered_by_the_native_model(scored: Callable[..., Scored], tmp_path: Path) -> None:
    messages, frame = scored(MESSAGES, tmp_path), messages_rows(30, seed=5)

    messages.score(messages.put("messages.csv", frame.drop(columns="kind")))

    expected = served(messages, as_request(frame[["message", "sent"]]))
    assert answers(messages.out)["label"].tolist() == expected.labels


def test_rows_that_do_not_fit_are_kept_beside_with_the_words_of_ingestion(shop: Scored) -> None:
    frame = order_rows(10).astype({"price": object, "weight": object})
    frame.loc[2, "price"], frame.loc[5, "kind"] = "much", "stone"
    frame.loc[7, "weight"] = "?"  # which marks a missing one
    path = shop.put("orders.csv", frame)
    path.write_text(path.read_text() + "o11,apple,3\n")

    done = shop.score(path)

    rejected = pd.read_parquet(shop.out / "_rejected")
    assert (done.manifest.rows, done.manifest.answered, done.manifest.rejected) == (11, 8, 3)
    assert rejected["row"].tolist() == [4, 7, 12]
    assert rejected["column"].tolist() == ["price", "kind", "(line)"]
    assert rejected["reason"].tolist() == [
        "is 'much', expected a number",
        "is 'stone', expected one of apple, bread, cheese",
        "has 3 cells, expected 5",
    ]
    assert json.loads(rejected["cells"][0])["order"] == "o2"
    assert answers(shop.out)["order"].tolist() == [f"o{number}" for number in (0, 1, 3, 4, 6, 7, 8, 9)]


def test_an_output_without_a_single_answer_is_told_as_an_error(shop: Scored) -> None:
    done = shop.score(shop.put("orders.csv", order_rows(5).assign(price=-1)))

    with pytest.raises(
        BadInput, match=r"none of 5 rows could be answered: column price .*; the rows and their reasons"
    ):
        check_answered(done)


def test_labels_that_a_file_has_are_no_part_of_the_question(shop: Scored) -> None:
    frame = order_rows(5).assign(bought=["yes", "", "maybe", None, "no"])

    assert shop.score(shop.put("orders.csv", frame)).manifest.answered == 5


def test_files_of_a_folder_are_answered_in_the_order_of_their_names(shop: Scored, small_parts: None) -> None:
    shop.put("in/b.csv", order_rows(150))
    shop.put("in/a.parquet", order_rows(120, seed=3))
    (shop.root / "in" / ".hidden").write_text("no table")
    with gzip.open(shop.root / "in" / "c.csv.gz", "wt") as file:
        order_rows(3, seed=4).to_csv(file, index=False)

    done = shop.score(shop.root / "in")

    table = answers(shop.out)
    assert table["_source"].tolist() == ["a.parquet"] * 120 + ["b.csv"] * 150 + ["c.csv.gz"] * 3
    assert [(part.source, part.rows) for part in done.manifest.parts] == [
        ("a.parquet", 100),
        ("a.parquet", 20),
        ("b.csv", 100),
        ("b.csv", 50),
        ("c.csv.gz", 3),
    ]


@pytest.mark.slow
def test_tables_in_s3_are_scored_as_those_of_this_machine(
    shop: Scored, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsspec.config.conf", {"s3": {"endpoint_url": store.endpoint}})  # read once, at its import
    for number in (1, 2):
        store.put(f"tables/{number}.csv", shop.put(f"here/{number}.csv", order_rows(50, seed=number)).read_bytes())

    shop.score(f"s3://{store.bucket}/tables", shop.root / "from-s3")
    shop.score(shop.root / "here", shop.root / "from-here")

    assert len(answers(shop.root / "from-s3")) == 100
    assert answers(shop.root / "from-s3").equals(answers(shop.root / "from-here"))
    with pytest.raises(NotFound, match=f"there is nothing at s3://{store.bucket}/gone"):
        shop.score(f"s3://{store.bucket}/gone", shop.root / "gone")


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_a_url_is_fetched_first(shop: Scored, scheme: str) -> None:
    path = shop.put("orders.csv", order_rows(20))
    url = f"file://{path}"
    if scheme == "memory":
        url = "memory://tables/orders.csv"
        fsspec.filesystem("memory").pipe("/tables/orders.csv", path.read_bytes())

    shop.score(url)
    folder = shop.score(url.rpartition("/")[0], shop.root / "whole") if scheme == "memory" else None

    shop.score(path, shop.root / "local")
    assert answers(shop.out).equals(answers(shop.root / "local"))
    assert not (shop.out / "_work").exists()
    assert folder is None or answers(folder.folder)["_source"].unique().tolist() == ["orders.csv"]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("", BadInput, "there is no input"),
        ("gone.csv", NotFound, "there is no file or folder .*gone.csv"),
        ("empty", BadInput, "empty is an empty folder; expected files ending in .csv"),
        ("mixed", BadInput, "mixed holds what is no table: notes.txt; expected files ending in"),
        ("nested", BadInput, "nested holds the folder inner; name that one"),
        ("linked", BadInput, "linked holds lost.csv, a link to nothing, a pipe or a device"),
        ("piped", BadInput, "piped holds a.csv, a link to nothing, a pipe or a device"),
        ("named", BadInput, "the name of \ufffd.csv in .*named is not UTF-8; rename the file"),
        ("none.csv", BadInput, "none.csv has no rows"),
        ("void.csv", BadInput, "void.csv is empty; expected a header line and rows"),
        ("broken.parquet", BadInput, "broken.parquet cannot be read as PARQUET"),
        ("text.parquet", BadInput, "text.parquet cannot be read as PARQUET: .*Invalid UTF8 sequence"),
        ("other.csv", BadInput, "other.csv is missing 'price' and has the unknown 'cost'; expected the columns of"),
        ("nowhere://there/a.csv", BadInput, "has the unknown scheme 'nowhere'; expected a path, or a URL"),
        ("s3://me:secret@there/a.csv", BadInput, "the URL of an input holds a password; give it by the environment"),
        ("memory://gone/a.csv", NotFound, "there is nothing at memory://gone/a.csv"),
        ("file:///gone/a.csv", NotFound, "there is nothing at file:///gone/a.csv"),
        ("memory://nested", BadInput, "memory://nested holds the folder inner; name that one"),
        ("ftp://127.0.0.1:1/a.csv", Unavailable, "cannot be read: .*refused; check the address, and your right to it"),
    ],
)
def test_an_input_that_cannot_be_scored_is_told_in_one_sentence(shop: Scored, source, error, message) -> None:
    for folder in ("empty", "mixed", "nested/inner", "linked", "piped", "named"):
        (shop.root / folder).mkdir(parents=True)
    (shop.root / "linked" / "lost.csv").symlink_to("gone.csv")
    os.mkfifo(shop.root / "piped" / "a.csv")
    (shop.root / "named" / os.fsdecode(b"\xff.csv")).write_text("kind")
    for path in ("a.csv", "inner/b.csv"):
        fsspec.filesystem("memory").pipe(f"/nested/{path}", b"kind")
    not_text = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(bytes(4) + b"\1\0\0\0"), pa.py_buffer(b"\xff")]
    )
    pq.write_table(pa.table({"kind": not_text, "price": [1.0], "weight": [1.0]}), shop.root / "text.parquet")
    (shop.root / "mixed" / "notes.txt").write_text("see below")
    shop.put("mixed/a.csv", order_rows(3))
    shop.put("none.csv", order_rows(0))
    (shop.root / "void.csv").touch()
    (shop.root / "broken.parquet").write_text("PAR1")
    shop.put("other.csv", order_rows(3).rename(columns={"price": "cost"}))

    with pytest.raises(error, match=message):
        shop.score(source if "://" in source or not source else shop.root / source)

    shop.score(shop.put("orders.csv", order_rows(3)))  # nothing stands in the way of the corrected input


@pytest.mark.parametrize(
    ("output", "error", "message"),
    [
        ("there.csv", Conflict, "there.csv is a file; --out names a folder"),
        ("full", Conflict, "full exists and is no output of `releve score`; name another folder"),
        ("~/scored", BadInput, "--out ~/scored: a shell would have replaced the ~; write the whole path"),
        ("/proc/scored", BadInput, "--out /proc/scored: such a folder cannot be made"),
        ("scored.xlsx", BadInput, "such parts cannot be written; name a folder, or one that ends in .parquet, .csv"),
    ],
)
def test_an_output_that_is_something_else_is_left_as_it_is(shop: Scored, output, error, message) -> None:
    path = shop.put("there.csv", order_rows(3))
    (shop.root / "full").mkdir()
    (shop.root / "full" / "mine").touch()

    with pytest.raises(error, match=message):
        shop.score(path, output if output[0] in "~/" else shop.root / output)

    assert (shop.root / "full" / "mine").exists()
    assert path.is_file()


def test_without_a_release_nothing_is_begun(shop: Scored) -> None:
    registry = Registry(shop.settings.registry_url)
    registry.move(
        shop.name, ModelWithdrawn(), expected=registry.current(shop.name).number, reason="a test", actor="tests"
    )

    with pytest.raises(NoRelease, match="no release of shop is served"):
        shop.score(shop.put("orders.csv", order_rows(3)))

    assert not shop.out.exists()


def test_two_scorings_of_one_output_are_refused(shop: Scored) -> None:
    path = shop.put("orders.csv", order_rows(3))
    shop.out.mkdir()

    with (
        LineJournal(shop.out / "_manifest.jsonl"),
        pytest.raises(Conflict, match=r"another scoring writes .*scored now"),
    ):
        shop.score(path)

    assert shop.score(path).manifest.answered == 3


def test_what_is_complete_is_not_done_again(shop: Scored) -> None:
    path = shop.put("orders.csv", order_rows(30))
    first = shop.score(path)
    written = (shop.out / "part-000000.parquet").stat()

    again = shop.score(path)

    assert again.manifest == first.manifest
    assert again.resumed_rows == 30
    assert (shop.out / "part-000000.parquet").stat() == written


class Killed(Exception):
    """Stands for the end of a run; test_kill.py has a real one."""


def interrupted(project: Scored, source: Path, *, after: int, **asked) -> None:
    """Score until so many rows are done."""

    def progress(reached) -> None:
        if reached.rows >= after:
            raise Killed

    with pytest.raises(Killed):
        project.score(source, progress=progress, **asked)


def test_what_a_run_began_the_same_command_finishes_by_the_model_that_began(shop: Scored, small_parts: None) -> None:
    path = shop.put("orders.csv", order_rows(450))
    interrupted(shop, path, after=250)
    kept = (shop.out / "part-000000.parquet").stat()
    shop.release("two")

    done = shop.score(path)

    assert (done.manifest.begun.model, done.newer_model, done.resumed_rows) == ("shop:one", "shop:two", 200)
    assert done.manifest.answered == 450
    assert (shop.out / "part-000000.parquet").stat() == kept
    assert answers(shop.out)["order"].tolist() == [f"o{number}" for number in range(450)]
    with pytest.raises(Conflict, match="is complete, answered by shop:one, and shop:two serves by now; give --again"):
        shop.score(path)
    assert shop.score(path, again=True).manifest.begun.model == "shop:two"


@pytest.mark.parametrize("changed", ["input", "settings", "ledger"])
def test_what_a_run_began_is_not_mixed_with_something_else(shop: Scored, small_parts: None, changed: str) -> None:
    path = shop.put("orders.csv", order_rows(300))
    interrupted(shop, path, after=200)
    if changed == "input":
        shop.put("orders.csv", order_rows(300, seed=8))
    if changed == "settings":
        shop.edit("missing:\n  - '?'", "missing:\n  - none")
    asked = {"ledger": True} if changed == "ledger" else {}
    why = {"input": "the input was another one", "settings": "`ingest` were others", "ledger": "choice of --ledger"}

    with pytest.raises(Conflict, match=f"was begun otherwise: .*{why[changed]}.*; give --again to start over, or name"):
        shop.score(path, **asked)

    done = shop.score(path, again=True, **asked)
    assert (done.manifest.answered, done.resumed_rows) == (300, 0)
    assert len(answers(shop.out)) == 300


def test_a_part_that_was_taken_away_is_missed(shop: Scored, small_parts: None) -> None:
    path = shop.put("orders.csv", order_rows(300))
    interrupted(shop, path, after=200)
    (shop.out / "part-000000.parquet").unlink()

    with pytest.raises(Conflict, match=r"part-000000.parquet is gone from .*; give --again"):
        shop.score(path)


def test_a_part_that_is_gone_from_a_complete_output_is_missed(shop: Scored) -> None:
    path = shop.put("orders.csv", order_rows(20).assign(price=[-1, *range(19)]))
    shop.score(path)
    (shop.out / "_rejected" / "part-000000.parquet").unlink()

    with pytest.raises(Conflict, match=r"_rejected/part-000000.parquet is gone from .*; give --again"):
        shop.score(path)


def test_an_output_whose_manifest_is_damaged_can_be_started_over(shop: Scored) -> None:
    path = shop.put("orders.csv", order_rows(20))
    shop.score(path)
    (shop.out / "_manifest.jsonl").write_bytes(b"\0\0\n")

    with pytest.raises(BadInput, match=r"_manifest.jsonl is .*; give --again to start over"):
        shop.score(path)

    assert shop.score(path, again=True).manifest.answered == 20


@pytest.mark.parametrize(
    ("source", "output"), [("in", "in"), ("in", "in/scored"), ("scored/part-000000.csv", "scored")]
)
def test_answers_do_not_get_among_the_rows(shop: Scored, source: str, output: str) -> None:
    shop.put("in/orders.csv", order_rows(3))
    shop.score(shop.root / "in" / "orders.csv", shop.root / "scored")
    kept = shop.put("scored/part-000000.csv", order_rows(3))

    with pytest.raises((BadInput, Conflict), match=r"lie in each other|is no output of"):
        shop.score(shop.root / source, shop.root / output, again=True)

    assert kept.exists()


def test_starting_over_keeps_the_answers_where_no_model_can_give_others(shop: Scored) -> None:
    path = shop.put("orders.csv", order_rows(20))
    shop.score(path)
    kept = answers(shop.out)
    (ModelStore(shop.settings.home).folder("shop:one") / "model.skops").write_bytes(b"altered")

    with pytest.raises(ModelAltered):
        shop.score(path, again=True)

    assert answers(shop.out).equals(kept)


def test_half_a_character_is_a_reason_to_reject_a_row(shop: Scored) -> None:
    path = shop.put("orders.jsonl", order_rows(5))
    path.write_text(path.read_text().replace('"o2"', r'"\ud800"'))

    assert shop.score(path).manifest.answered == 4

    rejected = pd.read_parquet(shop.out / "_rejected")
    assert rejected["reason"].tolist() == ["holds half a character (a lone surrogate), which no file can hold"]
    assert r'"order":"\ud800"' in json.loads(rejected["cells"][0])


def test_a_file_that_changes_before_it_is_read_is_no_basis(shop: Scored) -> None:
    shop.put("in/a.csv", order_rows(30))
    shop.put("in/b.csv", order_rows(30))

    with pytest.raises(BadInput, match=r"b.csv changed while it was read"):
        shop.score(shop.root / "in", progress=lambda reached: shop.put("in/b.csv", order_rows(40)))


def test_a_file_that_changes_while_it_is_read_is_no_basis(shop: Scored, small_parts: None) -> None:
    path = shop.put("orders.csv", order_rows(300))

    with pytest.raises(BadInput, match=r"orders.csv changed while it was read"):
        shop.score(path, progress=lambda reached: path.touch())


def test_answers_enter_the_ledger_once_however_often_a_run_is_ended(shop: Scored, small_parts: None) -> None:
    path = shop.put("orders.csv", order_rows(450))
    for after in (150, 350):
        interrupted(shop, path, after=after, ledger=True)

    shop.score(path, ledger=True)

    table, ledger = answers(shop.out), LedgerReader(shop.state.ledger)
    found = ledger.answers()
    assert sorted(found.ids) == sorted(table["_answer"])
    assert len(set(found.ids)) == 450
    by_id = dict(zip(found.ids, found.features["order"], strict=True))
    assert [by_id[name] for name in table["_answer"]] == table["order"].tolist()
    assert {line.arm for line in ledger.requests(since="2000-01-01")} == {Arm.CHAMPION}
    assert {line.model for line in ledger.requests(since="2000-01-01")} == {"shop:one"}


def test_a_label_finds_the_row_that_was_scored(shop: Scored) -> None:
    from datetime import UTC, datetime

    shop.score(shop.put("orders.csv", order_rows(20)), ledger=True)
    writer = LedgerWriter(shop.state.ledger, shop.name, clock=lambda: datetime.now(UTC))

    writer.label([(answers(shop.out)["_answer"][7], "yes")])
    writer.close()

    reader = LedgerReader(shop.state.ledger)
    assert reader.answers_to(reader.labels()).features["order"].tolist() == ["o7"]


def test_a_number_beyond_the_model_is_a_rejected_row(shop: Scored, monkeypatch: pytest.MonkeyPatch) -> None:
    from releve.adapters.models.model_runtime import Model, ModelOutput

    answer = Model.answer

    def spoilt(self, arrays):
        output = answer(self, arrays)
        probabilities = output.probabilities.copy()
        probabilities[arrays["numbers"][:, 0] > 90] = np.nan
        return ModelOutput(output.labels, probabilities)

    monkeypatch.setattr(Model, "answer", spoilt)
    frame = order_rows(50)

    done = shop.score(shop.put("orders.csv", frame))

    dear = frame["price"] > 90
    assert dear.any()
    assert done.manifest.rejected == dear.sum()
    assert answers(shop.out)["order"].tolist() == frame["order"][~dear].tolist()
    assert set(pd.read_parquet(shop.out / "_rejected")["reason"]) == {
        "has a number that is too large for the model (float32)"
    }


def test_what_is_decided_stands_beside_the_answer_and_in_the_ledger(shop: Scored) -> None:
    made = shop.settings.home / "made" / SHOP / "model.json"
    described, schema = json.loads(made.read_text()), Schema.from_dict(ORDERS_TABLE)
    costs = {"stock": {"no": 4, "yes": 0}, "skip": {"no": 0, "yes": 4}}
    rule = a_rule(column="price", value=90, decision="skip", reason="too dear")
    policy = make_table(costs=costs, rules=[rule], schema=schema).fit(np.empty((0, 2)), np.empty(0))
    made.write_text(json.dumps({**described, "decision": policy.model_dump(mode="json")}))
    shop.release("two")
    rows = order_rows(150, seed=9).drop(columns="bought")

    shop.score(shop.put("in.parquet", rows), ledger=True)

    answers = pd.read_parquet(next(shop.out.glob("part-*")))
    dear = rows["price"] > 90
    assert dear.any()
    assert set(answers["decision"][dear]) == {"skip"}
    assert answers["rule"].notna().tolist() == dear.tolist()
    assert (answers["decision"] == "stock")[~dear].tolist() == (answers["label"] == "yes")[~dear].tolist()
    kept = LedgerReader(shop.state.ledger).answers()
    assert kept.decisions == answers["decision"].tolist()


@pytest.mark.parametrize(("is_long", "here"), [(True, 1), (False, 2)])
def test_other_processes_help_once_a_piece_has_told_how_long_all_take(
    shop: Scored, monkeypatch: pytest.MonkeyPatch, is_long: bool, here: int
) -> None:
    monkeypatch.setattr("releve.adapters.tables.chunks.MOST_ROWS_PER_CHUNK", 5000)
    monkeypatch.setattr("tasks.scoring.parts.WORTH_SECONDS", 0.0)
    monkeypatch.setattr("tasks.scoring.parts.IMPORT_SECONDS", 0.0 if is_long else 600.0)
    places: list[bool] = []

    @contextmanager
    def watched(*args: Any, **asked: Any) -> Iterator[SimpleNamespace]:
        with open_workers(*args, **asked) as workers:

            def stream(items: Iterable[Any]) -> Iterator[Any]:
                for done in workers.stream(items):
                    places.append("here" in asked)
                    yield done

            yield SimpleNamespace(stream=stream)

    monkeypatch.setattr("tasks.scoring.parts.open_workers", watched)
    shop.edit("workers: 1", "workers: 2")

    done = shop.score(shop.put("orders.csv", order_rows(20_000, seed=3)))

    assert done.manifest.answered == 20_000
    assert places == [True] * here + [False] * (4 - here)
