"""One command brings a table: the whole scenario appears, or nothing does."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from examples.digit_images import write_digits
from releve.adapters.files import read_inputs, read_params, read_schema, scenario_names, write_bytes
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.yaml_files import pipeline_text
from releve.cli.app import main
from releve.core.errors import BadInput, Conflict, NotFound, ReleveError
from releve.core.settings import Settings
from releve.domain.onboarding.params_file import SettingOverride, read_override
from releve.domain.onboarding.table import Roles
from releve.domain.schema.columns import COMMON_KEYS, TYPES
from releve.domain.schema.schema import TABLE_KEYS, Schema
from tasks.ingestion.ingest import ingest
from tasks.onboarding import refresh, report, scaffold, understand
from tests.adapters.tables.test_file_types import row_xml, workbook
from tests.domain.onboarding.tables import ROWS, a_table
from tests.repositories import commit, snapshot
from tests.tables import ROOT, SHOP
from tests.tasks.shop import make_shop

TARGET = Roles("sold")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A checkout with the bundled scenario's pipeline, in git."""
    project = tmp_path / "project"
    (project / "scenarios" / "digits").mkdir(parents=True)
    for name in ("params.yaml", "scenarios/digits/dvc.yaml", "scenarios/digits/params.yaml"):
        shutil.copy(ROOT / name, project / name)
    git(project, "init", "--quiet", "--initial-branch=main")
    commit(project)
    return Settings.from_environ({}, cwd=project)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return a_file(tmp_path / "sales.csv")


def a_file(path: Path, **columns: object) -> Path:
    a_table(**columns).to_csv(path, index=False)
    return path


def everything(folder: Path) -> set[str]:
    """Files and folders, those of git and the files' own locks aside."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if ".git/" not in f"{path}/"}


def test_the_folder_holds_all_that_a_scenario_needs(settings: Settings, data: Path) -> None:
    made = scaffold(settings, "sales", data=data, roles=TARGET)

    assert {path.name for path in made.folder.iterdir()} == {
        "params.yaml",
        "dvc.yaml",
        "inputs.yaml",
        ".gitignore",
        ".dvcignore",
    }
    assert read_schema(settings.project, "sales").names == ["length", "width"]
    assert (read_inputs(made.folder / "inputs.yaml").rows, read_inputs(made.folder / "inputs.yaml").champion) == (
        "batches",
        "",
    )
    assert (made.folder / ".dvcignore").read_text() == "dvc.yaml\n"
    assert scenario_names(settings.project) == ["digits", "sales"]


def test_what_a_reader_did_to_a_sheet_is_an_issue_and_the_sheet_and_its_header_may_be_set(
    settings: Settings, tmp_path: Path
) -> None:
    table = a_table()
    rows = [["Sales", "2024"], [*table.columns], *table.to_numpy().tolist()]
    spoiled = f'<row r="1"><c r="A1" t="inlineStr"><is><t>x</t></is></c></row>{row_xml(2, ["y"])}'
    path = workbook(tmp_path / "sales.xlsx", spoiled, [*rows, [None, None, "yes"]], merged=["A202:A203"])
    said = tuple(read_override(text) for text in ("ingest.sheet=S2", "ingest.header_line=2"))

    made = scaffold(settings, "sales", data=path, roles=Roles("sold", settings=said))

    told = [issue.text for issue in made.draft.issues]
    assert "length: 1 cell lies in a merged range, and is read as its first cell is (A202:A203)" in told
    assert read_params(settings.project, "sales").ingest.sheet == "S2"
    assert made.draft.summary[0].startswith("sales.xlsx, sheet 'S2', header on row 2: 201 rows, 3 columns")


@pytest.mark.parametrize("cells", [2, 9])
def test_a_word_that_costs_rows_is_named_with_the_setting_that_keeps_them(
    cells: int, settings: Settings, tmp_path: Path
) -> None:
    data = a_file(tmp_path / "sales.csv", age=["k.A." if n < cells else str(n % 37) for n in range(ROWS)])

    draft, rejections = understand(settings, data=data, roles=TARGET)

    assert rejections.total == cells
    (asked,) = (issue for issue in draft.issues if issue.kind == "marker")
    assert asked.text.startswith(f"age holds 'k.A.' in {cells} cells among numbers or dates; if that means missing")
    words = asked.suggestions[0]["ingest.missing"]
    again, none = understand(
        settings, data=data, roles=Roles("sold", settings=(SettingOverride("ingest", "missing", words, ""),))
    )
    assert none.total == 0 and again.table["columns"]["age"]["nullable"]
    assert "marker" not in {issue.kind for issue in again.issues}


def test_the_pipeline_is_the_bundled_one_without_the_stage_that_makes_rows(settings: Settings, data: Path) -> None:
    made = scaffold(settings, "sales", data=data, roles=TARGET)

    bundled = yaml.safe_load((ROOT / "scenarios/digits/dvc.yaml").read_text())
    pipeline = yaml.safe_load((made.folder / "dvc.yaml").read_text())
    assert {"scenario": "sales"} in pipeline["vars"]
    assert pipeline["stages"] == {name: stage for name, stage in bundled["stages"].items() if name != "seed"}


def test_a_copy_of_the_file_waits_to_be_ingested_and_the_file_stays(settings: Settings, data: Path) -> None:
    made = scaffold(settings, "sales", data=data, roles=TARGET)

    assert made.incoming == settings.home / "incoming" / "sales" / "sales.csv"
    assert made.incoming.read_bytes() == data.read_bytes()
    assert [path.name for path in made.incoming.parent.iterdir()] == ["sales.csv"]


@pytest.mark.parametrize(
    ("name", "waiting"), [(".sales.csv", "sales.csv"), (f"{'x' * 251}.csv", f"{'x' * 251}.csv")], ids=["hidden", "long"]
)
def test_the_copy_has_a_name_that_ingestion_takes(name: str, waiting: str, settings: Settings, tmp_path: Path) -> None:
    made = scaffold(settings, "sales", data=a_file(tmp_path / name), roles=TARGET)

    assert [path.name for path in made.incoming.parent.iterdir()] == [waiting]


def test_a_file_that_waits_there_already_is_left_there(settings: Settings, tmp_path: Path) -> None:
    waiting = settings.home / "incoming" / "sales" / "sales.csv"
    waiting.parent.mkdir(parents=True)

    made = scaffold(settings, "sales", data=a_file(waiting), roles=TARGET)

    assert made.incoming == waiting


def test_removed_and_written_again_it_is_the_same(settings: Settings, data: Path) -> None:
    first = scaffold(settings, "sales", data=data, roles=TARGET)
    text = (first.folder / "params.yaml").read_text()
    shutil.rmtree(first.folder)

    again = scaffold(settings, "sales", data=data, roles=TARGET)

    assert (again.folder / "params.yaml").read_text() == text


@pytest.mark.parametrize(
    ("name", "roles", "error", "message"),
    [
        ("Sales", TARGET, BadInput, "the scenario name 'Sales' is not allowed"),
        ("../sales", TARGET, BadInput, "is not allowed"),
        ("digits", TARGET, Conflict, "scenarios/digits exists already"),
        ("big_digits", TARGET, Conflict, "big_digits and the scenario big-digits differ by '-' and '_' alone"),
        ("sales", Roles("sould"), BadInput, "did you mean 'sold'?"),
        ("sales", Roles("sold", task="regression"), BadInput, "a regression needs numbers"),
    ],
)
def test_what_cannot_be_leaves_nothing_behind(
    settings: Settings, data: Path, name: str, roles: Roles, error: type[Exception], message: str
) -> None:
    write_bytes(settings.project / "scenarios" / "big-digits" / "params.yaml", b"")
    before = everything(settings.project)

    with pytest.raises(error) as refused:
        scaffold(settings, name, data=data, roles=roles)

    assert message in str(refused.value)
    assert everything(settings.project) == before


def test_a_failure_half_way_leaves_no_scenario(settings: Settings, data: Path) -> None:
    (settings.home).mkdir()
    (settings.home / "incoming").write_text("a file where the folder should be")
    before = everything(settings.project)

    with pytest.raises(OSError):
        scaffold(settings, "sales", data=data, roles=TARGET)

    assert everything(settings.project) == before


def test_a_run_that_was_killed_is_no_scenario_and_is_made_up_for(settings: Settings, data: Path) -> None:
    half = settings.project / "scenarios" / ".new" / "sales"
    half.mkdir(parents=True)
    (half / "params.yaml").write_text("target: {")

    assert scenario_names(settings.project) == ["digits"]

    scaffold(settings, "sales", data=data, roles=TARGET)

    assert scenario_names(settings.project) == ["digits", "sales"]
    assert not half.parent.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.csv", None, "there is no file"),
        ("t.docx", "x", "is not a file that can be ingested"),
        ("e.csv", "", "is empty"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    settings: Settings, tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)

    with pytest.raises((BadInput, NotFound), match=message):
        scaffold(settings, "sales", data=tmp_path / name, roles=TARGET)


def test_a_refusal_tells_the_lines_that_were_no_rows_too(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('length,width,sold\n1,27,,"too long"\n,"too short"\n0,mixed,17\n')

    with pytest.raises(BadInput) as refused:
        scaffold(settings, "t", data=tmp_path / "t.csv", roles=TARGET)

    assert str(refused.value) == (
        "the target 'sold' is always 17; there is nothing to tell apart. Besides, 2 lines could not be read as a row: "
        "line 2: has 4 cells, expected 3; line 3: has 2 cells, expected 3"
    )


def test_another_file_that_waits_under_the_same_name_is_not_overwritten(settings: Settings, data: Path) -> None:
    waiting = settings.home / "incoming" / "sales" / "sales.csv"
    waiting.parent.mkdir(parents=True)
    waiting.write_text("another")

    with pytest.raises(Conflict, match="another file waits already"):
        scaffold(settings, "sales", data=data, roles=TARGET)

    assert waiting.read_text() == "another"


def test_the_rows_of_an_earlier_scenario_of_this_name_are_not_mixed_in(settings: Settings, data: Path) -> None:
    git(settings.project, "branch", "releve/sales")

    with pytest.raises(Conflict, match="git branch --move releve/sales sales-before"):
        scaffold(settings, "sales", data=data, roles=TARGET)


def test_the_users_tree_gains_the_folder_and_nothing_else(settings: Settings, data: Path) -> None:
    (settings.project / ".gitignore").write_text("/var/\n")
    commit(settings.project)
    before = snapshot(settings.project)

    scaffold(settings, "sales", data=data, roles=TARGET)

    assert git(settings.project, "status", "--porcelain") == "?? scenarios/sales/"
    shutil.rmtree(settings.project / "scenarios" / "sales")
    assert snapshot(settings.project) == before


def test_without_the_bundled_scenario_any_other_ones_pipeline_is_copied(settings: Settings, data: Path) -> None:
    scaffold(settings, "sales", data=data, roles=TARGET)
    shutil.rmtree(settings.project / "scenarios" / "digits")

    made = scaffold(settings, "more", data=data, roles=TARGET)

    assert (made.folder / "dvc.yaml").read_text() == pipeline_text(
        (ROOT / "scenarios/digits/dvc.yaml").read_text(), scenario="more"
    )


def test_a_pipeline_that_fell_behind_is_written_anew(settings: Settings, data: Path) -> None:
    made = scaffold(settings, "sales", data=data, roles=TARGET)
    current = (made.folder / "dvc.yaml").read_text()
    (made.folder / "dvc.yaml").write_text(current.replace("      - requirements.lock\n", ""))

    assert refresh(settings) == ["sales"]
    assert (made.folder / "dvc.yaml").read_text() == current
    assert refresh(settings) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "scenarios/sales/dvc.yaml is not valid YAML"),
        ("- x", "scenarios/sales/dvc.yaml holds a list; expected keys and values"),
        ("stages: {mine: {cmd: echo}}", "has stages that the pipeline of today does not have: mine"),
    ],
)
def test_a_pipeline_that_is_broken_or_has_stages_of_its_own_is_not_written_over(
    settings: Settings, text: str, problem: str
) -> None:
    folder = settings.project / "scenarios" / "sales"
    folder.mkdir()
    (folder / "dvc.yaml").write_text(text)

    with pytest.raises(ReleveError, match=re.escape(problem)):
        refresh(settings)
    assert (folder / "dvc.yaml").read_text() == text


def test_refreshing_takes_no_name_and_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "sales", "--refresh"]) == 2
    assert "--refresh goes with no name" in capsys.readouterr().err


def test_the_report_ends_with_the_next_two_commands(settings: Settings, data: Path) -> None:
    text = report(scaffold(settings, "sales", data=data, roles=TARGET), project=settings.project)

    assert text.startswith("sales.csv, utf-8, ',': 200 rows, 3 columns\nbinary of sold: ")
    assert "To check, the most serious first:\n 1. " in text
    assert text.splitlines()[-3:] == [
        "Next:",
        "  git add scenarios/sales && git commit -m 'Add the scenario sales'",
        "  make down up retrain SCENARIO=sales",
    ]


def test_the_command_says_what_is_missing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(settings.project)

    assert main(["scenario", "sales", "--target", "sold"]) == 1
    assert capsys.readouterr().err.startswith("error: DATA missing; expected: make scenario NAME=churn")


def test_the_command_writes_and_tells(
    settings: Settings, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(settings.project)
    monkeypatch.delenv("RELEVE_HOME", raising=False)
    monkeypatch.delenv("RELEVE_PROJECT", raising=False)

    assert main(["scenario", "sales", "--data", str(data), "--target", "sold", "--time", ""]) == 0
    assert "Written: scenarios/sales/" in capsys.readouterr().out
    assert main(["scenario", "--refresh"]) == 0
    assert capsys.readouterr().out == "every scenario has this pipeline already\n"


def test_what_a_person_sets_is_heeded_and_written(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(settings.project)
    table = a_table(town=["Nîmes", "Orléans"] * 100)
    table["length"] = [f"{1000 + n},{n % 10}" for n in range(len(table))]
    (tmp_path / "t.csv").write_bytes(table.to_csv(index=False, sep=";").encode("cp1252"))
    said = ("ingest.csv_encoding=cp1252", "ingest.csv_decimal=,", "monitor.window_rows=250")

    code = main(
        ["scenario", "t", "--data", str(tmp_path / "t.csv"), "--target=sold", *(f"--set={each}" for each in said)]
    )

    assert code == 0
    params, schema = read_params(settings.project, "t"), read_schema(settings.project, "t")
    assert (params.ingest.csv_encoding, params.ingest.csv_decimal, params.monitor.window_rows) == ("cp1252", ",", 250)
    assert schema.column("length").type == "number"
    assert schema.column("town").categories == ("Nîmes", "Orléans")


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (
            "town,sold\nNîmes,yes\n".encode("cp1252"),
            "Set it as SET=ingest.csv_encoding=cp1252, or save the file as UTF-8",
        ),
        ("town,sold\nNîmes,yes\n".encode("utf-16")[:-1], "of the whole file as SET=ingest.csv_encoding=cp1252"),
        (b"Sales, all towns\ntown,sold,price\nA,yes,1\n", "set the line of the header as SET=ingest.header_line=2"),
    ],
    ids=["encoding", "byte order mark", "header"],
)
def test_while_there_is_no_params_yaml_the_advice_is_for_the_command(
    settings: Settings, tmp_path: Path, content: bytes, advice: str
) -> None:
    (tmp_path / "t.csv").write_bytes(content)

    with pytest.raises(BadInput) as refused:
        scaffold(settings, "t", data=tmp_path / "t.csv", roles=TARGET)

    assert advice in str(refused.value)
    assert "params.yaml" not in str(refused.value)


@pytest.mark.parametrize("said", ["ingest.csv_encodign=utf-8", "window_rows=5", "monitor.window_rows=many"])
def test_a_setting_that_there_is_not_is_refused(
    settings: Settings, data: Path, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(settings.project)

    assert main(["scenario", "sales", "--data", str(data), "--target", "sold", "--set", said]) == 1
    assert said.partition("=")[0] in capsys.readouterr().err
    assert scenario_names(settings.project) == ["digits"]


@pytest.mark.slow
def test_what_it_wrote_is_ingested_and_once_the_folder_is_gone_the_scenario_is(tmp_path: Path, data: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    made = scaffold(shop.settings, "sales", data=data, roles=TARGET)
    commit(shop.root, "Add the scenario sales")

    (batch,) = ingest(shop.settings, "sales").batches

    assert (batch.rows, batch.rejected) == (200, 0)
    assert 'rows: "batches"' in git(shop.root, "show", "releve/sales:scenarios/sales/inputs.yaml")

    shutil.rmtree(made.folder)
    commit(shop.root, "Remove the scenario sales")

    assert scenario_names(shop.root) == [SHOP]
    with pytest.raises(NotFound, match=r"there is no scenario 'sales' .*there are: shop"):
        ingest(shop.settings, "sales")
    with pytest.raises(Conflict, match="the branch releve/sales holds the rows of an earlier scenario"):
        scaffold(shop.settings, "sales", data=data, roles=TARGET)


def test_every_key_that_the_page_shows_is_one_that_a_scenario_may_have() -> None:
    page = (ROOT / "docs/bring_a_table.md").read_text()
    described = yaml.safe_load(page.partition("## Every key")[2].partition("```yaml\n")[2].partition("```")[0])

    schema = Schema.from_dict({key: value for key, value in described.items() if key in TABLE_KEYS})

    assert schema.target.task == "regression"
    assert {column.type for column in schema.columns} == set(TYPES)
    for kind in TYPES.values():
        assert all(f"`{key}`" in page for key in kind.keys | COMMON_KEYS - {"type"})


def test_a_table_of_paths_to_images_is_brought_with_the_folder_where_they_begin(
    settings: Settings, tmp_path: Path
) -> None:
    data = write_digits(tmp_path / "digits", rows=300)
    (tmp_path / "digits" / "images" / "0007.png").unlink()

    made = scaffold(settings, "digit-images", data=data, roles=Roles("digit"))

    written = yaml.safe_load((made.folder / "params.yaml").read_text())
    assert written["columns"]["image"] == {"type": "image", "size": [16, 16], "mode": "grey"}
    assert written["ingest"] == {"images": str(tmp_path / "digits")}
    assert made.rejections.rows == {7}
    assert "image holds images, which the model sees at 16 x 16 pixels" in report(made, project=settings.project)


def test_features_are_proposed_with_what_they_are_worth_and_one_line_adds_them(
    settings: Settings, tmp_path: Path
) -> None:
    hours = np.arange(1000)
    random = np.random.default_rng(7)
    sold = 50 + 20 * np.sin(2 * np.pi * hours / 24) + random.normal(size=1000)
    at = pd.date_range("2024-01-01", periods=1000, freq="h").strftime("%Y-%m-%dT%H:%M")
    pd.DataFrame({"at": at, "noise": random.normal(size=1000), "sold": sold}).to_csv(tmp_path / "s.csv", index=False)

    made = scaffold(settings, "sales", data=tmp_path / "s.csv", roles=Roles("sold", time="at"))

    text = (made.folder / "params.yaml").read_text()
    offered = [line.removeprefix("# ") for line in text.splitlines() if "features: {" in line]
    assert len(offered) == 3
    assert all("before the holdout; naive, " in line for line in offered)
    assert "left to you: {'lags': {'sold': [1, 24, 168]}" in report(made, project=settings.project)
    lags = next(line for line in text.splitlines() if line.startswith("# features: {lags: {sold: [1, 24, 168]}"))
    chosen = [line for line in text.splitlines() if not line.startswith("features:")]
    path = made.folder / "params.yaml"
    path.write_text("\n".join(chosen).replace(lags, lags.removeprefix("# ")))
    assert "sold.lag_168" in read_schema(settings.project, "sales").names
