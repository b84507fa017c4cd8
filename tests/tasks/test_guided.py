"""A table is brought step by step: kept as it is sent, previewed, understood, asked about, and begun once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.git_dvc.scenario_branch import git
from releve.core.errors import BadInput, Conflict, NotFound
from releve.core.settings import Settings
from releve.domain.onboarding.questions import KEEP, MEND
from releve.domain.schema.schema import Schema
from releve.serving.openapi.cells import answering_row
from tasks import guided
from tasks.guided import Upload
from tasks.places import ScenarioState
from tests.projects import Project, fresh_project

ROWS = [f"2024-01-{1 + n % 28:02d},{n * 7 % 50},{n % 2 * 3},{'yes' if n % 2 else 'no'}" for n in range(200)]
TABLE = "\n".join(["day,months,refund,left", *ROWS, ""]).encode()


@pytest.fixture(scope="module")
def fresh(work_dir: Path) -> Project:
    return fresh_project(work_dir)


@pytest.fixture
def project(fresh: Project, tmp_path) -> Project:
    return fresh.copy(tmp_path)


@pytest.fixture
def settings(project: Project) -> Settings:
    return project.settings


def brought(settings: Settings, table: bytes = TABLE, name: str = "Who left.csv") -> Upload:
    upload = guided.receive(settings, name, iter([table[:40], table[40:]]))
    upload.wish(target="left", time="day")
    return upload


def answer_all(settings: Settings, upload: Upload, **chosen: str) -> None:
    """As the first choice says, but for questions that name a column of `chosen`."""
    asked = guided.look(settings, upload).asked
    said = {each.key: each.chosen({}).key for each in asked}
    said |= {each.key: key for each in asked for column, key in chosen.items() if column in each.says}
    upload.wish(answers=said)


def test_a_file_is_kept_as_it_was_sent_and_gives_its_name_to_the_scenario(settings):
    upload = brought(settings)

    assert upload.data.read_bytes() == TABLE
    assert upload.wishes.scenario == "who_left"
    assert guided.find(settings, upload.id) == upload


@pytest.mark.parametrize(
    ("name", "file", "scenario"),
    [
        ("../../etc/churn.csv", "churn.csv", "churn"),
        ("C:\\tables\\Bike Rides (2).CSV", "Bike Rides (2).CSV", "bike_rides_2"),
        (".hidden.csv", "hidden.csv", "hidden"),
        ("2024.csv", "2024.csv", "table_2024"),
        ("表.csv", "表.csv", "table"),
        ("digits.csv", "digits.csv", "digits_2"),
        ("a\n$(b).csv", "a__(b).csv", "a_b"),
    ],
)
def test_no_name_of_a_file_leads_elsewhere(settings, name, file, scenario):
    upload = guided.receive(settings, name, iter([TABLE]))

    assert (upload.data.name, upload.wishes.scenario) == (file, scenario)
    assert upload.data.parent.parent == settings.home / "guide"


def test_a_name_that_is_taken_is_refused_when_it_is_chosen_but_not_to_who_wrote_the_scenario(settings):
    upload = brought(settings)
    guided.choose(settings, upload, "mine", target="left", time="day")
    answer_all(settings, upload)
    guided.begin(settings, upload)

    guided.choose(settings, upload, "mine", target="left", time="day")
    with pytest.raises(Conflict, match="scenarios/digits exists already"):
        guided.choose(settings, upload, "digits", target="left")
    with pytest.raises(Conflict, match="exists already"):
        guided.choose(settings, brought(settings), "mine", target="left")

    assert upload.wishes.scenario == "mine"


@pytest.mark.parametrize("name", ["model.pkl", "churn", ".csv", ""])
def test_a_file_that_is_no_table_by_its_name_is_refused_and_not_kept(settings, name):
    with pytest.raises(BadInput, match=r"is no table by its name; expected one that ends in \.csv"):
        guided.receive(settings, name, iter([TABLE]))

    assert not (settings.home / "guide").exists()


def test_an_upload_that_breaks_off_leaves_nothing(settings):
    def pieces() -> Iterator[bytes]:
        yield TABLE[:100]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        guided.receive(settings, "churn.csv", pieces())
    assert guided.uploads(settings) == []


@pytest.mark.parametrize("upload", ["", "..", "0123456789abcdef", "../guide"])
def test_an_upload_that_is_not_there_is_not_found(settings, upload):
    with pytest.raises(NotFound, match="upload the file again"):
        guided.find(settings, upload)


def test_its_columns_are_shown_with_a_few_of_their_values(settings):
    months = guided.preview(settings, brought(settings))[1]

    assert (months.name, months.type, months.distinct) == ("months", "number", 50)
    assert len(months.examples) == 3


def test_a_table_that_cannot_be_read_says_so(settings):
    with pytest.raises(BadInput, match="cannot be read as PARQUET"):
        guided.preview(settings, guided.receive(settings, "churn.parquet", iter([b"no Parquet"])))


def test_what_gives_the_target_away_is_asked_about_and_left_out(settings):
    upload = brought(settings)
    seen = guided.look(settings, upload)

    assert [each.says for each in seen.asked if "refund" in each.says] == ["refund nearly gives left away."]
    assert seen.draft.table["columns"]["refund"] == {"type": "number", "feature": False}


def test_an_answer_changes_what_is_understood(settings):
    upload = brought(settings)
    answer_all(settings, upload, refund=KEEP)

    assert guided.look(settings, upload).draft.table["columns"]["refund"] == {"type": "number", "min": 0}


def test_nothing_is_begun_while_a_question_is_open(settings):
    with pytest.raises(BadInput, match="question"):
        guided.begin(settings, brought(settings))

    assert not (settings.project / "scenarios/who_left").exists()


def test_nothing_is_begun_where_the_file_is_to_be_corrected(settings):
    upload = brought(settings, TABLE + b"2024-02-30,many,0,no\n")
    answer_all(settings, upload)
    asked = guided.look(settings, upload).asked
    rejected = next(each for each in asked if "set aside" in each.says)
    upload.wish(answers={**upload.wishes.answers, rejected.key: MEND})

    with pytest.raises(BadInput, match="correct the file, and upload it again"):
        guided.begin(settings, upload)


def test_the_scenario_is_written_and_committed_alone(settings):
    (settings.project / "README.md").write_text("an edit of somebody's\n")
    git(settings.project, "add", "README.md")
    upload = brought(settings)
    answer_all(settings, upload)

    assert guided.begin(settings, upload) == "who_left"
    changed = git(settings.project, "show", "--name-only", "--format=", "HEAD").splitlines()
    assert {name.rpartition("/")[0] for name in changed} == {"scenarios/who_left"}
    assert git(settings.project, "diff", "--cached", "--name-only") == "README.md"
    waiting = ScenarioState(settings.home, "who_left").incoming / "Who left.csv"
    assert waiting.read_bytes() == TABLE


def test_an_upload_whose_run_was_started_is_offered_no_more(settings):
    upload = brought(settings)
    guided.close(upload)

    assert guided.uploads(settings) == []
    assert not upload.data.exists()


def test_to_begin_twice_is_to_begin_once(settings):
    upload = brought(settings)
    answer_all(settings, upload)
    guided.begin(settings, upload)
    head = git(settings.project, "rev-parse", "HEAD")

    assert guided.begin(settings, upload) == "who_left"
    assert git(settings.project, "rev-parse", "HEAD") == head


def test_a_beginning_that_was_killed_before_its_commit_goes_on(settings, monkeypatch):
    upload = brought(settings)
    answer_all(settings, upload)
    monkeypatch.setattr(guided, "git", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        guided.begin(settings, upload)
    monkeypatch.undo()

    assert guided.begin(settings, upload) == "who_left"
    assert git(settings.project, "status", "--porcelain", "--", "scenarios") == ""


def test_a_name_that_another_scenario_has_is_refused(settings):
    upload = brought(settings)
    answer_all(settings, upload)
    upload.wish(scenario="digits")

    with pytest.raises(Conflict, match="there is a scenario digits already; choose another name"):
        guided.begin(settings, upload)


def test_another_scenario_is_not_taken_over_after_a_name_that_did_not_work(settings):
    upload = brought(settings)
    answer_all(settings, upload)
    git(settings.project, "branch", "releve/who_left")
    with pytest.raises(Conflict, match="the branch releve/who_left holds the rows of an earlier scenario"):
        guided.begin(settings, upload)
    upload.wish(scenario="digits")

    with pytest.raises(Conflict, match="there is a scenario digits already; choose another name"):
        guided.begin(settings, upload)
    assert upload.data.exists()


def test_an_answer_that_settles_its_question_counts_on(settings):
    rows = [f'{line},"{1 + n % 9},{100 + n}"' for n, line in enumerate(ROWS)]
    upload = brought(settings, "\n".join(["day,months,refund,left,price", *rows, ""]).encode())
    (asked,) = [each for each in guided.look(settings, upload).asked if "price writes numbers" in each.details]
    upload.wish(answers={asked.key: asked.choices[1].key})

    seen = guided.look(settings, upload)

    assert asked in seen.asked
    assert seen.draft.table["columns"]["price"]["type"] == "number"
    assert asked.choices[1].settings[0] in seen.draft.overrides


def test_a_long_name_of_a_file_is_cut_at_its_beginning(settings):
    upload = guided.receive(settings, f"{'ы' * 200}.csv", iter([TABLE]))

    assert upload.data.read_bytes() == TABLE
    assert upload.data.name.endswith("ы.csv")


def test_no_personal_cell_and_no_feature_that_nobody_sends_is_in_the_row_that_is_asked():
    columns = {"at": {"type": "date"}, "mail": {"type": "text", "personal": True}, "age": {"type": "number"}}
    table = {"target": {"name": "left", "classes": ["no", "yes"]}, "time": "at", "columns": columns}
    schema = Schema.from_dict({**table, "features": {"lags": {"age": [1]}, "step": "day"}})
    golden = {"at": "2024-01-01", "mail": "somebody@example.org", "age": 31.0, "age.lag_1": 30.0}

    row = answering_row(schema, [golden])

    assert {*row} == {*columns}
    assert (row["age"], "somebody" in row["mail"]) == (31.0, False)


def test_nothing_serves_before_a_release(settings):
    assert guided.served(settings, "digits") is None
