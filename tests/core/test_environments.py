import re
from pathlib import Path

import pytest

from releve.core.environments import SECRETS, VARIABLES, read_environment, with_environment
from releve.core.errors import BadInput
from releve.core.settings import Settings

ROOT = Path(__file__).parents[2]


def written(folder, text, name="staging"):
    (folder / "environments").mkdir(exist_ok=True)
    (folder / "environments" / f"{name}.env").write_text(text, encoding="utf-8")
    return folder


def test_dev_is_what_a_command_does_that_names_no_environment():
    assert Settings.from_environ({"RELEVE_ENV": "dev"}, cwd=ROOT) == Settings.from_environ({}, cwd=ROOT)


def test_the_environments_of_this_project_share_neither_state_nor_a_port():
    settings = [Settings.from_environ({"RELEVE_ENV": name}, cwd=ROOT) for name in ("dev", "staging", "prod")]

    for name in ("home", "registry_url", "milvus_uri", "prefect_port", "service_port", "milvus_port"):
        assert len({getattr(each, name) for each in settings}) == 3


def test_a_file_sets_what_the_environment_of_the_process_does_not(tmp_path):
    folder = written(tmp_path, "# a comment\n\nRELEVE_HOME=state\n RELEVE_SERVICE_PORT=3001 \n")

    found = Settings.from_environ({"RELEVE_ENV": "staging", "RELEVE_SERVICE_PORT": "3009"}, cwd=folder)

    assert (found.home, found.service_port) == (folder / "state", 3009)


def test_a_folder_of_the_file_lies_below_the_project_and_not_below_where_one_is(tmp_path, monkeypatch):
    folder = written(tmp_path, "RELEVE_HOME=state\n")
    (tmp_path / "below").mkdir()

    found = Settings.from_environ({"RELEVE_ENV": "staging", "RELEVE_PROJECT": str(folder)}, cwd=tmp_path / "below")

    assert found.home == folder / "state"


def test_an_empty_variable_counts_as_not_set(tmp_path):
    folder = written(tmp_path, "RELEVE_SERVICE_PORT=3001\n")

    assert Settings.from_environ({"RELEVE_ENV": "staging", "RELEVE_SERVICE_PORT": ""}, cwd=folder).service_port == 3001


def test_a_process_that_inherits_the_rest_needs_no_file(tmp_path):
    folder = written(tmp_path, "RELEVE_SERVICE_PORT=3001\n")

    inherited = with_environment({"RELEVE_ENV": "staging", "PATH": "/bin", "EMPTY": ""}, project=folder)

    assert inherited == {"RELEVE_SERVICE_PORT": "3001", "PATH": "/bin", "EMPTY": ""}


@pytest.mark.parametrize("name", ["../staging", "Staging", "a" * 32, "1st", "staging.env", "a/b"])
def test_a_name_that_could_be_a_path_is_refused(tmp_path, name):
    with pytest.raises(BadInput, match=r"the environment name .* is not allowed"):
        read_environment(written(tmp_path, ""), name)


def test_an_environment_without_a_file_names_those_that_there_are(tmp_path):
    folder = written(tmp_path, "")

    with pytest.raises(BadInput, match=r"there is no environment 'stagin': environments/stagin\.env .*are staging$"):
        read_environment(folder, "stagin")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RELEVE_HOME", "cannot be read; expected NAME=value"),
        ("export RELEVE_HOME=x", "cannot be read; expected NAME=value"),
        ("RELEVE_HOEM=x", r"sets RELEVE_HOEM, .*; did you mean RELEVE_HOME\? Allowed are"),
        ("RELEVE_ENV=prod", "sets RELEVE_ENV, which no environment sets"),
        ('RELEVE_HOME="x"', "without quotes"),
        ("RELEVE_HOME=~/x", r"without quotes, \$ and ~"),
        ("RELEVE_HOME=a\0b", "without quotes"),
        ("RELEVE_REGISTRY_URL=postgresql://ana:hidden@[::1", "holds a password"),
        ("RELEVE_HOME=$HOME/x", r"without quotes, \$"),
        ("RELEVE_PREFECT_PORT=1\nRELEVE_PREFECT_PORT=2", "line 3 of environments/staging.env sets .* again"),
        ("RELEVE_REGISTRY_URL=postgresql+psycopg://a:hidden@db/x", "holds a password, which is a secret"),
        ("RELEVE_REGISTRY_URL=postgresql+psycopg://db/x?password=hidden", "holds a password, which is a secret"),
        ("RELEVE_MILVUS_URI=https://a:hidden@db:19530", "holds a password, which is a secret"),
    ],
)
def test_a_line_that_is_none_is_refused_with_its_place_and_without_a_secret(tmp_path, line, said):
    with pytest.raises(BadInput, match=said) as refused:
        read_environment(written(tmp_path, f"# staging\n{line}\n"), "staging")

    assert "environments/staging.env" in str(refused.value)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_stay_in_the_environment_of_the_process(tmp_path, name):
    with pytest.raises(BadInput, match=f"sets {name}, which is a secret") as refused:
        read_environment(written(tmp_path, f"{name}=hidden\n"), "staging")

    assert "hidden" not in str(refused.value)


def test_an_address_without_a_password_is_allowed(tmp_path):
    url = "postgresql+psycopg://releve@db.staging/releve"

    assert read_environment(written(tmp_path, f"RELEVE_REGISTRY_URL={url}\n"), "staging")["RELEVE_REGISTRY_URL"] == url


def test_every_variable_of_the_settings_is_allowed_a_secret_or_of_one_process_alone():
    source = (ROOT / "releve/core/settings.py").read_text()
    ours = set(re.findall(r'"((?:RELEVE|MILVUS)_[A-Z_]+)"', source))

    assert ours == {*VARIABLES, *SECRETS, "RELEVE_PROJECT", "RELEVE_MODEL"}


def test_a_value_that_is_no_number_is_refused_as_any_other(tmp_path):
    with pytest.raises(BadInput, match="RELEVE_SERVICE_PORT is 'many'; expected a port number"):
        Settings.from_environ({"RELEVE_ENV": "staging"}, cwd=written(tmp_path, "RELEVE_SERVICE_PORT=many\n"))
