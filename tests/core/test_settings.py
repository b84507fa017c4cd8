from contextlib import closing
from pathlib import Path

import pytest

from releve.adapters.registry.registry import Registry
from releve.core.environments import SECRETS
from releve.core.errors import BadInput
from releve.core.settings import Settings
from tests.events import make_ingested

CWD = Path("/somewhere")
PORTS = ["RELEVE_PREFECT_PORT", "RELEVE_SERVICE_PORT", "RELEVE_MILVUS_PORT"]
NUMBERS = [*PORTS, "RELEVE_SERVICE_WORKERS", "RELEVE_SERVICE_MEMORY"]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["many", "0", "-1", "1.5", "²", "\u0661", "1_0", " 1", "9" * 5000])
def test_what_is_no_number_is_refused_with_its_name(name, value):
    with pytest.raises(BadInput, match=rf"^{name} is '.*'; expected a .*number between 1 and"):
        Settings.from_environ({name: value}, cwd=CWD)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("RELEVE_SERVICE_PORT", "1", True),
        ("RELEVE_SERVICE_PORT", "65535", True),
        ("RELEVE_SERVICE_PORT", "65536", False),
        ("RELEVE_SERVICE_WORKERS", "1", True),
        ("RELEVE_SERVICE_WORKERS", "256", True),
        ("RELEVE_SERVICE_WORKERS", "257", False),
        ("RELEVE_WAIT_SECONDS", "0", True),
        ("RELEVE_WAIT_SECONDS", "86401", False),
    ],
)
def test_the_limits_belong_to_what_is_allowed(name, value, allowed):
    if allowed:
        settings = Settings.from_environ({name: value}, cwd=CWD)
        assert int(value) in (settings.service_port, settings.service_workers, settings.wait_seconds)
    else:
        with pytest.raises(BadInput):
            Settings.from_environ({name: value}, cwd=CWD)


@pytest.mark.parametrize("name", NUMBERS)
def test_an_empty_variable_counts_as_not_set(name):
    assert Settings.from_environ({name: ""}, cwd=CWD) == Settings.from_environ({}, cwd=CWD)


@pytest.mark.parametrize(
    ("given", "names"), [("", ()), ("digits", ("digits",)), (" bikes, digits,,bikes", ("bikes", "digits"))]
)
def test_the_service_serves_the_scenarios_that_are_named(given, names):
    assert Settings.from_environ({"RELEVE_SCENARIO": given}, cwd=CWD).service_scenarios == names


@pytest.mark.parametrize(("given", "rule"), [("", "none"), ("required", "required"), ("two_people", "two_people")])
def test_an_environment_says_whether_people_approve(given, rule):
    assert Settings.from_environ({"RELEVE_APPROVAL": given}, cwd=CWD).approval == rule


def test_an_approval_that_is_none_is_refused_with_those_there_are():
    with pytest.raises(BadInput, match=r"^RELEVE_APPROVAL is 'yes'; expected none, required, two_people$"):
        Settings.from_environ({"RELEVE_APPROVAL": "yes"}, cwd=CWD)


def test_a_scenario_name_that_is_none_is_refused():
    with pytest.raises(BadInput, match=r"the scenario name '../x' is not allowed"):
        Settings.from_environ({"RELEVE_SCENARIO": "digits,../x"}, cwd=CWD)


def test_secrets_are_not_in_what_a_log_or_traceback_shows():
    environ = {"MILVUS_TOKEN": "sesame", "RELEVE_REGISTRY_URL": "postgresql://ana:opensaysme@db/releve"}

    settings = Settings.from_environ(environ, cwd=CWD)

    assert (settings.milvus_token, settings.registry_url) == tuple(environ.values())
    assert "sesame" not in repr(settings)
    assert "opensaysme" not in repr(settings)
    assert "/somewhere" in repr(settings)


@pytest.mark.parametrize("name", ["plain", "a b", "what?", "50%", "%3F", "#1", 'it\'s "so"', "[x]", "ü", "$HOME"])
def test_the_registry_lies_in_the_home_whatever_its_name_is(name, tmp_path):
    settings = Settings.from_environ({"RELEVE_HOME": str(tmp_path / name)}, cwd=tmp_path)

    with closing(Registry(settings.registry_url)) as registry:
        registry.append("shop", make_ingested(), reason="", actor="a test")

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "registry.db").is_file()


def test_commas_alone_name_no_scenario():
    with pytest.raises(BadInput, match=r"RELEVE_SCENARIO is ','; expected names"):
        Settings.from_environ({"RELEVE_SCENARIO": ","}, cwd=CWD)


def test_a_home_whose_tilde_no_shell_has_replaced_is_no_folder_called_so(tmp_path):
    with pytest.raises(BadInput, match="RELEVE_HOME is '~/releve': only a shell replaces the ~"):
        Settings.from_environ({"RELEVE_HOME": "~/releve"}, cwd=tmp_path)


def test_no_secret_but_the_registrys_address_goes_to_another_machine():
    secrets = {name: f"secret-of-{name}" for name in SECRETS if name != "RELEVE_SIGNING_KEY"}
    addresses = {"RELEVE_REGISTRY_URL": "postgresql://ana:pw@db/r", "PREFECT_API_URL": "http://u:secret-p@host/api"}

    sent = Settings.from_environ({**secrets, **addresses}, cwd=CWD).without_secrets()

    assert "secret-" not in str(vars(sent))
    assert sent.registry_url.startswith("postgresql://ana:pw@db")
