import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pandas as pd
import pytest

from releve.adapters.files import write_parquet
from releve.adapters.git_dvc.committed import begin_run
from releve.adapters.git_dvc.data_versions import PipelineFailed, data_version
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.registry.registry import Registry
from releve.core.errors import BadInput, Conflict, NotFound
from releve.domain.registry.chain import FILES_REFUSED, INGESTED
from releve.domain.registry.events import ModelReleased
from releve.domain.registry.release import SEED_VERSION
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import row_problems
from tasks.ingestion.ingest import RefusalNote, check_refusals, ingest, inspect_file, refused_digests
from tasks.ingestion.intake import take_in
from tasks.ingestion.resubmit import resubmit
from tests.events import make_any_release
from tests.repositories import commit, snapshot, write
from tests.tables import SHOP, make_params, shop_rows, shop_schema

GOOD = "kind,price,weight,bought\nbread,1,2,yes\napple,3,,no\n"


def spoiled(rows=90, *, bad=3, **cells):
    """A table whose first `bad` rows do not fit."""
    frame = shop_rows(rows).astype({"price": object})
    for name, value in (cells or {"price": -1}).items():
        frame.loc[: bad - 1, name] = value
    return frame


def note_of(project, name):
    return RefusalNote.model_validate_json((project.state.refused / f"{name}.reason.json").read_text())


def names_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def told(shop):
    return [event.payload for event in Registry(shop.settings.registry_url).events(SHOP, kinds=[INGESTED])]


def test_rows_that_do_not_fit_go_to_quarantine_and_the_others_are_versioned(fresh):
    fresh.receive(spoiled(90, bad=3))

    found = ingest(fresh.settings, SHOP)

    assert [(batch.rows, batch.rejected, batch.source) for batch in found.batches] == [(87, 3, "today.parquet")]
    assert found.duplicates == found.refusals == ()
    assert fresh.batches == list(found.batches)
    assert names_in(fresh.state.ingested) == ["today.parquet"]
    assert names_in(fresh.state.incoming) == []


def test_quarantine_says_where_what_and_why_and_keeps_the_whole_row(fresh):
    fresh.receive(spoiled(90, bad=2, price=-1, kind="stone"))

    batch = ingest(fresh.settings, SHOP).batches[0].batch

    found = pd.read_parquet(fresh.state.quarantine / f"{batch}.parquet")
    assert found["row"].tolist() == [1, 1, 2, 2]
    assert found["column"].tolist() == ["price", "kind"] * 2
    assert (
        found["reason"].tolist()
        == [
            "is -1.0, expected at least 0",
            "is 'stone', expected one of apple, bread, cheese",
        ]
        * 2
    )
    assert json.loads(found["cells"][0]).keys() == {"kind", "price", "weight", "bought"}


@pytest.mark.parametrize("bad", [0, 1, 7, 18])
def test_accepted_and_rejected_rows_add_up_to_the_file_and_a_clean_one_leaves_no_quarantine(bad, fresh):
    fresh.receive(spoiled(90, bad=bad) if bad else shop_rows(90))

    found = ingest(fresh.settings, SHOP)

    (batch,) = found.batches
    assert (batch.rows + batch.rejected, batch.rejected) == (90, bad)
    assert names_in(fresh.state.quarantine) == [f"{batch.batch}.parquet"] * bool(bad)
    check_refusals(found)


def test_a_file_that_came_already_is_no_second_batch_whatever_its_name(ingested):
    before = ingested.branch.tip()
    path = ingested.state.ingested / "day-1.parquet"
    write(ingested.state.incoming / ".hidden", "not a table")
    shutil.copy(path, ingested.state.incoming / "again.parquet")

    found = ingest(ingested.settings, SHOP)

    assert found.batches == found.refusals == ()
    assert found.duplicates[0].reason.startswith("again.parquet holds exactly what batch 00000001-")
    assert ingested.branch.tip() == before
    assert names_in(ingested.state.incoming) == [".hidden"]


def test_two_equal_files_of_one_run_are_one_batch(fresh):
    fresh.receive_text(GOOD, "a.csv")
    fresh.receive_text(GOOD, "b.csv")

    found = ingest(fresh.settings, SHOP)

    assert [batch.source for batch in found.batches] == ["a.csv"]
    assert [duplicate.source for duplicate in found.duplicates] == ["b.csv"]


REFUSED = {
    "empty.csv": ("", "empty.csv is empty"),
    "header.csv": ("kind,price,weight,bought\n", "header.csv has no rows"),
    "missing.csv": ("kind,price,bought\nbread,1,yes\n", "missing.csv is missing 'weight'"),
    "extra.csv": ("kind,price,weight,bought,colour\nbread,1,2,yes,red\n", "extra.csv has the unknown 'colour'"),
    "renamed.csv": ("kind,prize,weight,bought\nbread,1,2,yes\n", "is missing 'price' and has the unknown 'prize'"),
    "shifted.csv": ("kind,price,weight,bought\n1,bread,1,2,yes\n", "none of 1 row fits the schema"),
    "ragged.csv": (
        f"{GOOD}bread,1,2,yes,surplus\n",
        "Most frequent: (line) has 5 cells, expected 4 (1 x). The first: row 4",
    ),
    "bad.csv": ("kind,price,weight,bought\nbread,x,2,yes\n", "none of 1 row fits the schema"),
    "table.xlsx": ("PK", "table.xlsx cannot be read as XLSX"),
    "table.txt": ("PK", "table.txt is not a file that can be ingested"),
    "broken.parquet": ("PAR1", "broken.parquet cannot be read as PARQUET"),
    "list.jsonl": ("[1, 2]\n", "expected an object of column names"),
}


def test_files_that_cannot_be_used_are_set_aside_beside_their_reasons_and_stop_no_other(fresh):
    for name, (text, _) in REFUSED.items():
        fresh.receive_text(text, name)
    fresh.receive_text(GOOD, "good.csv")

    found = ingest(fresh.settings, SHOP)

    assert [(batch.source, batch.rows) for batch in found.batches] == [("good.csv", 2)]
    assert {refusal.source for refusal in found.refusals} == set(REFUSED)
    assert names_in(fresh.state.refused) == sorted([*REFUSED, *(f"{name}.reason.json" for name in REFUSED)])
    for name, (text, reason) in REFUSED.items():
        assert (fresh.state.refused / name).read_text() == text
        assert reason in note_of(fresh, name).reason
    assert names_in(fresh.state.incoming) == []
    [event] = Registry(fresh.settings.registry_url).events(SHOP, kinds=[FILES_REFUSED])
    assert {file["name"] for file in event.payload["files"]} == set(REFUSED)
    told = f"{len(REFUSED)} incoming files were refused and set aside in .*refused/shop, each beside"
    with pytest.raises(BadInput, match=told):
        check_refusals(found)


def test_what_is_no_file_is_told_by_its_name_set_aside_and_stops_no_other(fresh):
    fresh.receive_text(GOOD, "good.csv")
    incoming = fresh.state.incoming
    (incoming / "folder.csv").mkdir()
    write(incoming / "folder.csv" / "within.csv", GOOD)
    (incoming / "link.csv").symlink_to("gone.csv")
    os.mkfifo(incoming / "pipe.csv")
    (incoming / "unreadable.csv").symlink_to("/proc/self/mem")  # gives an error to whoever reads it, root too
    (incoming / ".hidden.csv").symlink_to("gone.csv")

    found = ingest(fresh.settings, SHOP)

    assert [batch.source for batch in found.batches] == ["good.csv"]
    reasons = {refusal.source: refusal.reason for refusal in found.refusals}
    assert reasons["folder.csv"].startswith("folder.csv is a folder; put the files that are in it")
    assert reasons["link.csv"].startswith("link.csv is a link to gone.csv, where no file is")
    assert reasons["pipe.csv"].startswith("pipe.csv is a pipe, a socket or a device")
    assert reasons["unreadable.csv"].startswith("unreadable.csv cannot be read: Input/output error")
    assert names_in(incoming) == [".hidden.csv"]
    assert names_in(fresh.state.refused) == sorted([*reasons, *(f"{name}.reason.json" for name in reasons)])
    assert (fresh.state.refused / "folder.csv" / "within.csv").read_text() == GOOD
    assert refused_digests(fresh.state) == set()
    with pytest.raises(BadInput, match="4 incoming files were refused"):
        check_refusals(found)


def test_a_second_folder_of_one_name_is_set_aside_beside_the_first(fresh):
    for _ in range(3):
        (fresh.state.incoming / "folder.csv").mkdir(parents=True)
        ingest(fresh.settings, SHOP)

    kept = ["2-folder.csv", "3-folder.csv", "folder.csv"]
    assert [name for name in names_in(fresh.state.refused) if not name.endswith(".json")] == kept


def test_a_file_that_is_gone_when_it_is_looked_at_is_told(tmp_path):
    assert (
        inspect_file(tmp_path / "gone.csv").problem == "gone.csv was taken away before it could be read; send it again"
    )


def after_reading(monkeypatch, change):
    """Let something change a file after each time that one was read."""

    def taking_in(*arguments, **options):
        taken = take_in(*arguments, **options)
        change()
        return taken

    monkeypatch.setattr("tasks.ingestion.ingest.take_in", taking_in)


def test_a_file_that_is_taken_away_while_it_is_read_stops_no_other(fresh, monkeypatch):
    fresh.receive_text(f"{GOOD}cheese,1,1,yes\n", "b.csv")
    path = fresh.receive_text(GOOD, "a.csv")
    after_reading(monkeypatch, lambda: path.unlink(missing_ok=True))

    found = ingest(fresh.settings, SHOP)

    assert [refusal.source for refusal in found.refusals] == ["a.csv"]
    assert [batch.source for batch in found.batches] == ["b.csv"]
    assert names_in(fresh.state.refused) == []


def test_a_file_that_changes_while_it_is_read_is_refused(fresh, monkeypatch):
    path = fresh.receive_text(GOOD)
    after_reading(monkeypatch, lambda: path.write_text(f"{GOOD}tea,1,2,no\n"))

    found = ingest(fresh.settings, SHOP)

    assert not found.batches
    assert "today.csv changed while it was read" in found.refusals[0].reason


CAFE = os.fsdecode(b"caf\xe9.csv")  # a name that is not UTF-8
BAD = "kind,price,weight,bought\nbread,x,2,yes\n"


def test_a_file_whose_name_is_not_utf_8_fares_like_any_under_a_name_that_can_be_shown(fresh):
    odd = os.fsdecode(b"\xe9-again.csv")
    fresh.receive_text(GOOD, CAFE)
    fresh.receive_text(GOOD, odd)
    fresh.receive_text(BAD, os.fsdecode(b"\xe9.csv"))
    fresh.receive(shop_rows(5), os.fsdecode(b"\xff.parquet"))

    found = ingest(fresh.settings, SHOP)

    assert fresh.batches[0].source == "caf\N{REPLACEMENT CHARACTER}.csv"
    assert told(fresh)[0]["source"] == "caf\N{REPLACEMENT CHARACTER}.csv"
    assert CAFE in names_in(fresh.state.ingested)
    assert found.duplicates[0].reason.startswith("\N{REPLACEMENT CHARACTER}-again.csv holds exactly")
    refused = note_of(fresh, os.fsdecode(b"\xe9.csv")).reason
    assert refused.startswith("\N{REPLACEMENT CHARACTER}.csv: none of 1 row fits the schema")
    assert names_in(fresh.state.incoming) == []


def test_two_names_that_are_shown_alike_keep_their_own_fates(fresh):
    fresh.receive_text(GOOD, os.fsdecode(b"\xe8.csv"))
    fresh.receive_text(BAD, os.fsdecode(b"\xe9.csv"))

    ingest(fresh.settings, SHOP)

    assert names_in(fresh.state.ingested) == [os.fsdecode(b"\xe8.csv")]
    assert os.fsdecode(b"\xe9.csv") in names_in(fresh.state.refused)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (f"{'x' * 176}.csv", f"{'x' * 176}.csv"),
        (f"{'x' * 177}.csv", f"{'x' * 41}.csv"),
        (f"{'x' * 246}.csv", f"{'x' * 41}.csv"),
        (f"{'x' * 200}.{'y' * 40}.csv", f"_{'y' * 40}.csv"),  # not shortened to a hidden one
    ],
)
def test_a_refused_file_with_a_very_long_name_is_set_aside_too(name, kept, fresh):
    fresh.receive_text(BAD, "short.csv").rename(fresh.state.incoming / name)

    ingest(fresh.settings, SHOP)

    assert names_in(fresh.state.refused) == [kept, f"{kept}.reason.json"]


def test_a_second_refused_file_of_one_name_has_a_note_of_its_own(fresh):
    fresh.receive_text(BAD)
    ingest(fresh.settings, SHOP)
    fresh.receive_text("")

    ingest(fresh.settings, SHOP)

    empty = f"{sha256(b'').hexdigest()[:8]}-today.csv"
    assert names_in(fresh.state.refused) == sorted(
        ["today.csv", "today.csv.reason.json", empty, f"{empty}.reason.json"]
    )
    assert "fits the schema" in note_of(fresh, "today.csv").reason
    assert "today.csv is empty" in note_of(fresh, empty).reason


def test_a_note_says_how_to_send_the_file_again_and_doing_so_works(fresh):
    fresh.receive_text(BAD)
    ingest(fresh.settings, SHOP)
    note = note_of(fresh, "today.csv")
    (fresh.state.refused / "today.csv").unlink()
    fresh.receive_text(GOOD)

    found = ingest(fresh.settings, SHOP)

    assert f"move today.csv from here to {fresh.state.incoming}" in note.to_do
    assert [batch.rows for batch in found.batches] == [2]
    assert note_of(fresh, "today.csv") == note


def test_a_file_that_is_refused_once_more_leaves_the_first_note_alone(fresh):
    fresh.receive_text(BAD)
    ingest(fresh.settings, SHOP)
    (fresh.state.refused / "today.csv").unlink()
    fresh.receive_text("")

    ingest(fresh.settings, SHOP)

    assert refused_digests(fresh.state) == {sha256(text.encode()).hexdigest() for text in (BAD, "")}


def test_refused_files_alone_make_no_version(fresh):
    fresh.receive_text("", "empty.csv")

    found = ingest(fresh.settings, SHOP)

    assert len(found.refusals) == 1
    assert fresh.branch.tip() is None
    assert told(fresh) == []


def test_the_users_tree_index_and_branch_stay_as_they_are_even_when_dirty(fresh):
    write(fresh.root / "params.yaml", (fresh.root / "params.yaml").read_text() + "\n# edited\n")
    write(fresh.root / "notes.txt", "mine\n")
    before = snapshot(fresh.root)
    fresh.receive_text(GOOD)

    ingest(fresh.settings, SHOP)

    assert snapshot(fresh.root) == before
    assert len(fresh.batches) == 1


def test_later_files_are_appended_and_earlier_rows_are_kept(ingested):
    first_version = data_version(ingested.branch.read("batches.dvc"))
    ingested.receive_text(GOOD)

    ingest(ingested.settings, SHOP)

    assert [batch.batch[:8] for batch in ingested.batches] == ["00000001", "00000002", "00000003"]
    assert [batch.rows for batch in ingested.batches] == [100, 100, 2]
    assert data_version(ingested.branch.read("batches.dvc")) != first_version


def test_files_are_taken_in_the_order_of_their_names(fresh):
    fresh.receive_text(f"{GOOD}cheese,1,1,yes\n", "b.csv")
    fresh.receive_text(f"{GOOD}cheese,2,2,yes\n", "a.csv")

    found = ingest(fresh.settings, SHOP)

    assert [batch.source for batch in found.batches] == ["a.csv", "b.csv"]


def test_a_batch_says_when_its_file_came_however_old_its_content_is(fresh):
    before = datetime.now(UTC).replace(microsecond=0)
    fresh.receive_text(GOOD)
    (file,) = fresh.state.incoming.iterdir()
    os.utime(file, (0, 0))

    (batch,) = ingest(fresh.settings, SHOP).batches

    assert before <= datetime.fromisoformat(batch.arrived) <= datetime.now(UTC)
    assert told(fresh)[0]["arrived"] == batch.arrived


def test_every_batch_is_told_to_the_registry_once(fresh):
    fresh.receive_text(GOOD)

    ingest(fresh.settings, SHOP, actor="Ada")
    ingest(fresh.settings, SHOP)
    fresh.receive_text("kind,price,weight,bought\nbread,99,2,yes\n")
    ingest(fresh.settings, SHOP)

    assert [(each["source"], each["rows"], each["rejected"]) for each in told(fresh)] == [
        ("today.csv", 2, 0),
        ("today.csv", 1, 0),
    ]
    first, second = fresh.registry.events(SHOP)
    assert (first.actor, first.reason) == ("Ada", "today.csv: 2 rows accepted, 0 rejected")
    assert second.reason == "today.csv: 1 row accepted, 0 rejected, 1 warning"


def test_an_empty_incoming_folder_is_no_error_and_is_made(fresh):
    found = ingest(fresh.settings, SHOP)

    assert found.batches == found.duplicates == found.refusals == ()
    assert fresh.state.incoming.is_dir()


@pytest.mark.slow
def test_a_remote_that_is_away_moves_nothing_and_the_same_command_resumes(ingested):
    remote = ingested.settings.home / "dvc-remote"
    remote.rename(remote.with_name("kept"))
    write(remote, "a file where the folder was")
    before = ingested.branch.tip()
    ingested.receive_text(GOOD)

    with pytest.raises(PipelineFailed, match="dvc push"):
        ingest(ingested.settings, SHOP)

    assert ingested.branch.tip() == before
    assert names_in(ingested.state.incoming) == ["today.csv"]

    remote.unlink()
    remote.with_name("kept").rename(remote)
    assert len(ingest(ingested.settings, SHOP).batches) == 1
    assert ingested.branch.tip() != before


def test_a_run_that_was_killed_after_the_branch_moved_is_made_up_for(fresh):
    fresh.receive_text(GOOD)
    ingest(fresh.settings, SHOP)
    fresh.registry.close()
    for path in fresh.settings.home.glob("registry.db*"):
        path.unlink()
    fresh.receive_text(GOOD)  # as if it had not been cleared away

    found = ingest(fresh.settings, SHOP)

    assert len(found.duplicates) == 1
    assert [payload["source"] for payload in told(fresh)] == ["today.csv"]


def fail_to_ingest(shop):
    """The run ends after the quarantine was written and before the branch moved, as a killed one may."""
    remote = shop.settings.home / "dvc-remote"
    write(remote, "a file where the folder should be")
    with pytest.raises(PipelineFailed, match="dvc push"):
        ingest(shop.settings, SHOP)
    remote.unlink()


@pytest.mark.slow
def test_rows_that_fit_after_a_run_failed_do_not_stay_in_its_quarantine(fresh):
    fresh.receive(spoiled(90, bad=3))
    fail_to_ingest(fresh)
    left = names_in(fresh.state.quarantine)
    fresh.override(columns={"price": {"type": "number"}})

    batch = ingest(fresh.settings, SHOP).batches[0]

    assert left == [f"{batch.batch}.parquet"]
    assert (batch.rows, batch.rejected) == (90, 0)
    assert names_in(fresh.state.quarantine) == []


@pytest.mark.slow
def test_the_quarantine_of_a_failed_run_belongs_to_no_batch_when_another_file_came_instead(fresh):
    fresh.receive(spoiled(90, bad=3))
    fail_to_ingest(fresh)
    left = names_in(fresh.state.quarantine)[0].removesuffix(".parquet")
    fresh.receive(spoiled(80, bad=2))

    batch = ingest(fresh.settings, SHOP).batches[0].batch

    with pytest.raises(NotFound, match=f"batch '{left}' has no rejected rows; there are some of: {batch}$"):
        resubmit(fresh.settings, SHOP, left)
    assert len(pd.read_parquet(fresh.state.quarantine / f"{batch}.parquet")) == 2


SEED_STAGE = """
  seed:
    wdir: ../..
    cmd: cp -r scenarios/shop/first scenarios/shop/seed
    deps: [scenarios/shop/first]
    outs: [scenarios/shop/seed]
"""


@pytest.mark.slow
def test_a_registry_with_batches_of_another_clone_is_refused_until_their_branch_is_here(fresh, made_ingested, tmp_path):
    ingested = made_ingested.copy(tmp_path / "other")
    other = replace(fresh.settings, registry_url=ingested.settings.registry_url)
    fresh.receive_text(GOOD)
    told = ingested.registry.events(SHOP)

    with pytest.raises(Conflict, match=r"the registry has 2 batches of shop, and this repository has no branch"):
        ingest(other, SHOP)
    refused = (ingested.registry.events(SHOP), [path.name for path in fresh.state.incoming.iterdir()])
    git(fresh.root, "fetch", "--quiet", str(ingested.root), f"{fresh.branch.name}:{fresh.branch.name}")
    shutil.copytree(ingested.settings.home / "dvc-remote", fresh.settings.home / "dvc-remote")
    found = ingest(other, SHOP)

    assert refused == (told, ["today.csv"])
    assert [batch.rows for batch in found.batches] == [2]
    assert len(ingested.registry.events(SHOP)) == len(told) + 1


@pytest.mark.slow
def test_a_registry_with_a_batch_of_another_clone_is_refused_also_where_the_older_batches_are_here(
    made_ingested, tmp_path
):
    one, other = made_ingested.copy(tmp_path / "one"), made_ingested.copy(tmp_path / "other")
    one.receive_text(GOOD, "monday.csv")
    other.receive_text(GOOD.replace("1", "2"), "tuesday.csv")
    shared = replace(other.settings, registry_url=one.settings.registry_url)
    [new] = ingest(one.settings, SHOP).batches

    with pytest.raises(Conflict, match=f"has 3 batches of shop, and this repository .* without {new.batch}: another"):
        ingest(shared, SHOP)

    assert [path.name for path in other.state.incoming.iterdir()] == ["tuesday.csv"]
    assert len(one.registry.events(SHOP, kinds=[INGESTED])) == 3


def bundle_seed(shop):
    """The scenario brings its first rows along: two files, made by its first stage."""
    for number in (1, 2):
        write_parquet(shop.files.folder / "first" / f"{number:04d}.parquet", shop_rows(10, seed=number))
    pipeline = shop.files.folder / "dvc.yaml"
    pipeline.write_text(pipeline.read_text() + SEED_STAGE)
    commit(shop.root)


def release_champion_of(shop, data_version):
    """A release as the registry knows it; only where its rows came from matters here."""
    champion = make_any_release("shop:one", data_version=data_version)
    shop.registry.move(SHOP, ModelReleased(release=champion), expected=None, reason="a test", actor="a test")


@pytest.mark.parametrize(
    ("learned_from", "sources"),
    [(SEED_VERSION, ["0001.parquet", "0002.parquet", "today.csv"]), ("d" * 32, ["today.csv"]), (None, ["today.csv"])],
)
def test_the_seeds_rows_stay_when_files_arrive_after_a_champion_learned_from_them(learned_from, sources, fresh):
    bundle_seed(fresh)
    if learned_from:
        release_champion_of(fresh, learned_from)
    fresh.receive_text(GOOD)

    ingest(fresh.settings, SHOP)

    assert [batch.source for batch in fresh.batches] == sources
    assert names_in(fresh.state.ingested) == ["today.csv"]


def test_a_harvested_rows_answer_id_is_no_unknown_column(tmp_path):
    path = tmp_path / "answers.csv"
    write(path, "kind,price,weight,bought,_answer_id\nbread,1,2,yes,x\n")

    assert take_in(path, shop_schema(), params=make_params(), work_dir=tmp_path).accepted == 1


NUMERALS = {
    "regression": ({"task": "regression"}, '"1.234,5"', 1234.5),
    "classes": ({"classes": [1000, 2000]}, '"1.000"', 1000),
}


@pytest.mark.parametrize("case", NUMERALS)
def test_numbers_are_read_as_params_say_in_the_target_too(case, tmp_path):
    target, cell, label = NUMERALS[case]
    schema = Schema.from_dict({"target": {"name": "sum", **target}, "columns": {"self": {"type": "number"}}})
    params = make_params(ingest={"csv_thousands": ".", "csv_decimal": ","})
    path = write(tmp_path / "today.csv", f'self;sum\n"7,25";{cell}\n' * 1 + f'"7.250";{cell}\n' * 9)

    taken = take_in(path, schema, params=params, work_dir=tmp_path)
    taken.rows.close()

    found = pd.read_parquet(tmp_path / "accepted.parquet")
    assert found["sum"].tolist() == [label] * 10
    assert found["self"].tolist() == [7.25, *[7250.0] * 9]


def prices(path, *, commas):
    """A table whose first rows have prices with a decimal comma."""
    table = shop_rows(20).astype({"price": object})
    table.loc[: commas - 1, "price"] = "12,5"
    table.to_csv(path, index=False)
    return path


COMMA_TOLD = "'12,5' is a number as people write it; to have such cells read, set ingest.csv_decimal=, (params.yaml)"


def test_rejected_numbers_with_a_decimal_comma_are_told_with_the_setting_that_reads_them(tmp_path):
    path = prices(tmp_path / "prices.csv", commas=1)

    taken = take_in(path, shop_schema(), params=make_params(), work_dir=tmp_path)

    assert taken.quarantine.rows == 1
    assert COMMA_TOLD in taken.warnings


def test_a_file_that_is_refused_for_its_decimal_commas_is_told_the_setting_that_reads_them(tmp_path):
    path = prices(tmp_path / "prices.csv", commas=10)

    with pytest.raises(BadInput, match="file is refused whole") as refused:
        take_in(path, shop_schema(), params=make_params(), work_dir=tmp_path)

    assert COMMA_TOLD in str(refused.value)


def test_what_was_seen_is_what_is_ingested_of_truth_values(tmp_path):
    schema = Schema.from_dict(
        {
            "target": {"name": "sold", "classes": ["False", "True"]},
            "columns": {"new": {"type": "category", "categories": ["False", "True"]}},
        }
    )
    frame = pd.DataFrame({"new": [True, False] * 5, "sold": [False, True] * 5})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "b.csv", index=False)
    frame.to_json(tmp_path / "c.jsonl", orient="records", lines=True)

    for number, name in enumerate(("a.parquet", "b.csv", "c.jsonl")):
        taken = take_in(tmp_path / name, schema, params=make_params(), work_dir=tmp_path / str(number))
        taken.rows.close()
        assert pd.read_parquet(taken.rows.path)["new"].tolist() == ["True", "False"] * 5
    assert not row_problems(schema, [{"new": True}, {"new": "True"}])


DATES = shop_rows(rows=20).assign(kind="dates")


def add_a_category(shop):
    """The owner edits params.yaml and does not commit."""
    params = shop.files.folder / "params.yaml"
    params.write_text(params.read_text().replace("- cheese", "- cheese\n    - dates"))


def test_rows_are_judged_by_what_is_committed_and_by_an_edit_once_it_is(fresh):
    add_a_category(fresh)
    fresh.receive(pd.concat([shop_rows(rows=100), DATES], ignore_index=True))

    by_the_commit = ingest(fresh.settings, SHOP).batches[0]
    commit(fresh.root, "a new category")
    fresh.receive(DATES, "again.parquet")
    by_the_edit = ingest(fresh.settings, SHOP).batches[0]

    assert (by_the_commit.rows, by_the_commit.rejected) == (100, 20)
    assert (by_the_edit.rows, by_the_edit.rejected) == (20, 0)


def test_a_run_that_began_keeps_its_commit_when_another_one_lands(fresh):
    run = begin_run(fresh.settings, SHOP, tell=lambda line: None)
    add_a_category(fresh)
    commit(fresh.root, "a new category")
    fresh.receive(pd.concat([shop_rows(rows=100), DATES], ignore_index=True))

    found = ingest(run, SHOP).batches[0]

    assert (found.rows, found.rejected) == (100, 20)
    assert "dates" not in fresh.branch.read("params.yaml")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("bread,1,2,yes\n" * 4, ""),
        ("bread,x,2,yes\nbread,x,2,yes\nbread,1,2,no\n", "column price is 'x', expected a number (2 rows)"),
        (
            "bread,x,2,yes\nbread,y,2,yes\nbread,1,2,perhaps\nbread,1,2,no\n",
            "column price is 'x', expected a number (1 row); is 'y', expected a number (1 row)",
        ),
        ("bread,1,2\nbread,1,2,no\n", "a line that is no row has 3 cells, expected 4 (1 row)"),
    ],
)
def test_the_column_that_most_rows_were_rejected_for_is_named(rows, said, tmp_path):
    path = write(tmp_path / "today.csv", f"kind,price,weight,bought\n{rows}")

    params = make_params(ingest={"max_rejected_share": 1.0})
    taken = take_in(path, shop_schema(), params=params, work_dir=tmp_path)

    assert taken.quarantine.most_rejected == said
