"""Answers that go to a URL: with a real server of S3's protocol, and with fsspec's own file system in memory."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest

from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.core.errors import BadInput, Conflict, Unavailable
from tests.failures.processes import kill
from tests.projects import wait_for
from tests.s3 import CREDENTIALS, Store
from tests.tables import ROOT, SHOP
from tests.tasks.scoring.conftest import Scored, order_rows
from tests.tasks.scoring.test_score import interrupted

PLACE = "memory://answers/may"


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's file system in this process's memory, empty."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture
def elsewhere(scored: Callable[[str, Path], Scored], tmp_path: Path) -> Scored:
    """The shop on another machine."""
    return scored(SHOP, tmp_path / "elsewhere")


def rows_with_mistakes(rows: int) -> pd.DataFrame:
    frame = order_rows(rows, seed=3).astype({"price": object})
    frame.loc[::50, "price"] = "much"
    return frame


def manifest(memory: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in memory.cat_file("/answers/may/_manifest.jsonl").splitlines()]


def answers(memory: Any) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(f"memory:/{part}") for part in parts(memory)], ignore_index=True)


def parts(memory: Any) -> list[str]:
    return sorted(name for name in memory.find("/answers/may") if "/part-" in name and "_rejected" not in name)


def test_a_url_gets_what_a_folder_gets(shop: Scored, memory: Any, small_parts: None) -> None:
    path = shop.put("orders.csv", rows_with_mistakes(250))

    done = shop.score(path, PLACE)
    local = shop.score(path)

    assert (done.manifest.rows, done.manifest.answered, done.output) == (250, 245, PLACE)
    own = f"-{done.manifest.begun.output}"
    found = {name.removeprefix("/answers/may/").replace(own, "") for name in memory.find("/answers/may")}
    assert found == {str(file.relative_to(shop.out)) for file in shop.out.rglob("*") if file.is_file()}
    assert answers(memory).equals(pd.read_parquet(shop.out))
    assert [line["kind"] for line in manifest(memory)] == ["begun", "part", "part", "part", "ended"]
    assert manifest(memory)[0]["model_digest"] == local.manifest.begun.model_digest
    kept = [file.name for file in shop.state.scoring.rglob("*") if file.is_file()]
    assert kept == ["_manifest.jsonl"]


def test_what_a_run_began_there_the_same_command_finishes(shop: Scored, memory: Any, small_parts: None) -> None:
    path = shop.put("orders.csv", order_rows(450))
    interrupted(shop, path, after=250, output=PLACE)
    assert [line["kind"] for line in manifest(memory)] == ["begun"]
    shop.release("two")

    done = shop.score(path, PLACE)

    assert (done.resumed_rows, done.newer_model) == (200, "shop:two")
    assert answers(memory)["order"].tolist() == [f"o{number}" for number in range(450)]
    assert manifest(memory)[-1]["rows"] == 450


def test_what_is_complete_there_is_not_done_again_whoever_asks(shop: Scored, memory: Any) -> None:
    path = shop.put("orders.csv", order_rows(30))
    first = shop.score(path, PLACE)
    before = dict(memory.store)

    assert shop.score(path, PLACE).manifest == first.manifest
    shutil.rmtree(shop.state.scoring)  # as another machine sees it
    assert shop.score(path, PLACE).manifest == first.manifest

    assert memory.store == before


def test_a_run_that_was_killed_before_it_could_say_that_all_is_there_says_so_the_next_time(
    shop: Scored, memory: Any
) -> None:
    path = shop.put("orders.csv", order_rows(30))
    shop.score(path, PLACE)
    whole = memory.cat_file("/answers/may/_manifest.jsonl")
    memory.pipe_file("/answers/may/_manifest.jsonl", whole.splitlines(keepends=True)[0])

    shop.score(path, PLACE)

    assert memory.cat_file("/answers/may/_manifest.jsonl") == whole


def test_a_place_with_something_else_in_it_is_left_as_it_is(shop: Scored, memory: Any) -> None:
    path = shop.put("orders.csv", order_rows(3))
    memory.pipe_file("/answers/may/notes.txt", b"mine")

    for again in (False, True):
        with pytest.raises(Conflict, match="memory://answers/may exists and is no output of `releve score`"):
            shop.score(path, PLACE, again=again)

    assert memory.find("/answers/may") == ["/answers/may/notes.txt"]


def test_what_another_machine_has_begun_there_is_not_mixed_with_until_it_is_started_over(
    shop: Scored, memory: Any, small_parts: None
) -> None:
    path = shop.put("orders.csv", order_rows(450))
    interrupted(shop, path, after=350, output=PLACE)
    shutil.rmtree(shop.state.scoring)

    with pytest.raises(Conflict, match="was begun elsewhere, or with a state that is gone from here"):
        shop.score(path, PLACE)

    fewer = shop.put("fewer.csv", order_rows(50))
    shop.score(fewer, PLACE, again=True)
    assert len(answers(memory)) == 50
    assert len(parts(memory)) == 1


def test_an_output_that_somebody_began_anew_meanwhile_is_not_called_complete(
    shop: Scored, memory: Any, small_parts: None
) -> None:
    path = shop.put("orders.csv", order_rows(250))
    claims = list[bytes]()

    def progress(reached: Any) -> None:
        claims.append(memory.cat_file("/answers/may/_manifest.jsonl"))
        other = json.loads(claims[0]) | {"output": "00000000"}
        memory.pipe_file("/answers/may/_manifest.jsonl", json.dumps(other).encode() + b"\n")

    with pytest.raises(Conflict, match="another scoring has begun memory://answers/may anew meanwhile"):
        shop.score(path, PLACE, progress=progress)

    assert manifest(memory)[-1]["kind"] == "begun"


def test_who_begins_an_output_anew_has_it_alone_although_another_one_is_at_work(
    shop: Scored, elsewhere: Scored, memory: Any, small_parts: None
) -> None:
    path, other = shop.put("orders.csv", order_rows(450)), elsewhere.put("other.csv", order_rows(150, seed=8))

    def progress(reached: Any) -> None:
        if reached.rows == 300:
            elsewhere.score(other, PLACE, again=True)

    with pytest.raises(Conflict, match="another scoring has begun memory://answers/may anew meanwhile"):
        shop.score(path, PLACE, progress=progress)

    assert [line["kind"] for line in manifest(memory)] == ["begun", "part", "part", "ended"]
    assert [Path(part).name for part in parts(memory)] == [line["name"] for line in manifest(memory)[1:-1]]
    elsewhere.score(other, elsewhere.out)
    assert answers(memory).equals(pd.read_parquet(elsewhere.out))


def test_a_part_that_is_on_its_way_when_another_one_begins_is_taken_back(
    shop: Scored, elsewhere: Scored, memory: Any, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = shop.put("orders.csv", rows_with_mistakes(450)), elsewhere.put("other.csv", order_rows(150, seed=8))
    put, is_first = memory.put_file, True

    def put_slowly(source: str, target: str) -> None:
        nonlocal is_first
        if "/part-000001" in target and is_first:
            is_first = False
            elsewhere.score(other, PLACE, again=True)
        put(source, target)

    monkeypatch.setattr(memory, "put_file", put_slowly)
    with pytest.raises(Conflict, match="another scoring has begun memory://answers/may anew meanwhile"):
        shop.score(path, PLACE)

    held = {name.removeprefix("/answers/may/") for name in memory.find("/answers/may")}
    assert held == {"_manifest.jsonl", *(line["name"] for line in manifest(memory)[1:-1])}
    assert len(answers(memory)) == 150
    assert [file.name for file in shop.state.scoring.rglob("*") if file.is_file()] == ["_manifest.jsonl"]


def test_a_part_that_a_killed_scoring_left_there_goes_with_the_end(shop: Scored, memory: Any) -> None:
    path, left = shop.put("orders.csv", order_rows(30)), "/answers/may/part-000007-0a1b2c3d.parquet"

    shop.score(path, PLACE, progress=lambda reached: memory.pipe_file(left, b"of another"))

    assert not memory.exists(left)
    assert len(answers(memory)) == 30


def test_an_end_that_could_not_be_sent_is_sent_by_the_next_run_whatever_serves_by_then(
    shop: Scored, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = shop.put("orders.csv", order_rows(30)), memory.pipe_file

    def refuse_the_end(target: str, content: bytes) -> None:
        if b'"ended"' in content:
            raise ConnectionError("the line is down")
        write(target, content)

    with monkeypatch.context() as away:
        away.setattr(memory, "pipe_file", refuse_the_end)
        with pytest.raises(Unavailable, match="cannot be written: the line is down"):
            shop.score(path, PLACE)
    shop.release("two")

    done = shop.score(path, PLACE)

    assert (done.resumed_rows, done.newer_model) == (30, "shop:two")
    assert [line["kind"] for line in manifest(memory)] == ["begun", "part", "ended"]
    with pytest.raises(Conflict, match="is complete, answered by shop:one, and shop:two serves by now"):
        shop.score(path, PLACE)


def test_a_part_that_is_gone_from_there_is_missed(shop: Scored, memory: Any) -> None:
    path = shop.put("orders.csv", order_rows(30))
    shop.score(path, PLACE)
    memory.rm_file(parts(memory)[0])

    with pytest.raises(Conflict, match=r"part-000000-\w{8}.parquet is gone from memory://answers/may, whose"):
        shop.score(path, PLACE)


@pytest.mark.parametrize(
    ("output", "error", "message"),
    [
        ("s3://me:secret@bucket/scored", BadInput, "the URL of an output holds a password; give it by the environment"),
        ("sftp://me:secret@there/scored/../may", BadInput, "the URL of an output holds a password"),
        ("sftp://me:secret@there/scored.txt", BadInput, "the URL of an output holds a password"),
        ("s3://bucket/scored?key=secret", BadInput, r"the URL of an output is chained \(::\), or has options"),
        ("simplecache::s3://bucket/scored", BadInput, r"the URL of an output is chained \(::\)"),
        ("memory://answers/../may", BadInput, r"has an empty part, a . or a ..; write the place itself"),
        ("memory://answers//may", BadInput, "has an empty part"),
        ("https://127.0.0.1/scored", BadInput, "https:// takes no files"),
        ("nowhere://answers/may", BadInput, "has the unknown scheme 'nowhere'"),
        ("memory://answers/scored.xlsx", BadInput, "such parts cannot be written"),
        ("memory://tables/scored", BadInput, "lie in each other; name an output elsewhere"),
        ("ftp://127.0.0.1:1/scored", Unavailable, "refused"),
    ],
)
def test_a_url_that_takes_no_answers_is_told_in_one_sentence(
    shop: Scored, memory: Any, output: str, error: type[Exception], message: str
) -> None:
    memory.pipe_file("/tables/orders.csv", shop.put("orders.csv", order_rows(3)).read_bytes())

    with pytest.raises(error, match=message) as told:
        shop.score("memory://tables", output)

    assert "secret" not in str(told.value)


def test_a_url_of_this_machine_is_the_folder_itself(shop: Scored) -> None:
    path = shop.put("orders.csv", order_rows(30))

    shop.score(path, f"file://{shop.out}")

    assert len(pd.read_parquet(shop.out)) == 30
    with pytest.raises(BadInput, match="lie in each other"):
        shop.score(shop.put("here/orders.csv", order_rows(3)).parent, f"file://{shop.root}/here/scored")


CODE = """
import sys
from pathlib import Path
import releve.adapters.tables.chunks as chunks
import tasks.scoring.parts as parts
import tasks.scoring.score as scoring
from tests.tasks.scoring.conftest import Scored
if __name__ == "__main__":
    chunks.MOST_ROWS_PER_CHUNK = parts.ROWS_PER_PART = scoring.ROWS_PER_PART = 100
    root, name, source, output = sys.argv[1:]
    done = Scored(Path(root), name).score(source, output, ledger=True)
    print(done.manifest.rows, done.manifest.answered, done.manifest.rejected, done.resumed_rows)
"""


def read(store: Store, key: str) -> pd.DataFrame:
    return pd.read_parquet(f"s3://{store.bucket}/{key}", storage_options={"endpoint_url": store.endpoint})


@pytest.mark.whole
def test_a_scoring_into_s3_that_was_killed_again_and_again_answers_each_row_once(shop: Scored, store: Store) -> None:
    rows = 2000
    path, output = shop.put("orders.csv", rows_with_mistakes(rows)), f"s3://{store.bucket}/scored/2024-05"
    script = shop.root / "run.py"
    script.write_text(CODE)
    asked = {"FSSPEC_S3_ENDPOINT_URL": store.endpoint}

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(script), str(shop.root), shop.name, str(path), output],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **CREDENTIALS, **asked},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def parts() -> list[str]:
        return [key for key in store.files if "/part-" in key and "_rejected" not in key]

    for wanted in (2, 9):
        run = start()
        wait_for(lambda: len(parts()) >= wanted, during=run)  # noqa: B023 - it ends with the loop
        kill(run, children_too=False)
    printed, _ = start().communicate(timeout=120)

    counts = printed.splitlines()[-1].split()
    assert list(map(int, counts[:3])) == [rows, rows - rows // 50, rows // 50], printed
    assert int(counts[3]) >= 800
    options = {"endpoint_url": store.endpoint}
    table = pd.concat(
        [pd.read_parquet(f"s3://{store.bucket}/{key}", storage_options=options) for key in sorted(parts())]
    )
    assert table["order"].tolist() == [f"o{number}" for number in range(rows) if number % 50]
    found = LedgerReader(shop.state.ledger).answers()
    assert sorted(found.ids) == sorted(table["_answer"])
    kept = [key for key in store.files if "_rejected" in key]
    assert (
        sum(len(pd.read_parquet(f"s3://{store.bucket}/{key}", storage_options=options)) for key in kept) == rows // 50
    )
    assert not [key for key in store.files if CREDENTIALS["AWS_SECRET_ACCESS_KEY"] in key]
    assert [file.name for file in shop.state.scoring.rglob("*") if file.is_file()] == ["_manifest.jsonl"]
