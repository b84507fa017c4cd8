"""Every flow can be loaded the way a worker loads it, and prefect.yaml agrees with what is there."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "flows").glob("*.py"))
ENTRYPOINTS = [
    f"flows/{path.name}:{name}"
    for path in FILES
    for name in re.findall(r"^@flow.*\n(?:@.*\n)?def (\w+)", path.read_text(), re.M)
]
BY_ITS_COMMAND = "flows/turns.py:turns"  # in a project of its own: `make fleet`
OF_SCENARIOS = [each for each in ENTRYPOINTS if each not in ("flows/fleet.py:fleet", BY_ITS_COMMAND)]
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


def load(entrypoint: str) -> Any:
    from prefect.flows import load_flow_from_entrypoint

    # With a placeholder, which is the default, a file that cannot be imported would load too.
    return load_flow_from_entrypoint(str(ROOT / entrypoint), use_placeholder_flow=False)


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_a_flow_loads_and_is_named_after_its_function(entrypoint: str) -> None:
    loaded = load(entrypoint)

    assert loaded.name == entrypoint.partition(":")[2]
    assert loaded.description


def test_every_flow_is_found() -> None:
    decorated = sum(path.read_text().count("\n@flow") for path in FILES)

    assert len(ENTRYPOINTS) == decorated
    assert "flows/lifecycle.py:lifecycle" in ENTRYPOINTS


def test_every_flow_is_deployed() -> None:
    assert sorted(each["entrypoint"] for each in DEPLOYMENTS) == sorted({*ENTRYPOINTS} - {BY_ITS_COMMAND})


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["name"])
def test_a_deployment_has_the_name_of_its_flow_and_checks_what_a_form_gives_it(deployment: dict[str, Any]) -> None:
    assert deployment["name"] == load(deployment["entrypoint"]).name
    assert deployment["enforce_parameter_schema"]
    assert deployment["description"]


@pytest.mark.parametrize("entrypoint", OF_SCENARIOS)
def test_a_flow_asks_in_its_form_for_a_scenario_and_says_which_names_are_allowed(entrypoint: str) -> None:
    parameters = load(entrypoint).parameters

    field = parameters.properties["scenario"]
    assert parameters.required[0] == "scenario"
    assert re.search(field["pattern"], "digits-2")
    assert not re.search(field["pattern"], "../digits")


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_a_form_explains_every_parameter(entrypoint: str) -> None:
    fields = load(entrypoint).parameters.properties

    assert [name for name, field in fields.items() if not field.get("description", "").endswith(".")] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_flow_file_is_called_like_a_package_or_a_module_that_it_would_hide(path: Path) -> None:
    assert path.stem not in sys.stdlib_module_names
    assert path.stem not in packages_distributions()


@pytest.mark.parametrize(
    ("flow", "others"),
    [
        ("ingest", "domain.drift domain.gate domain.quality domain.training domain.trigger adapters.models reporting"),
        ("retrain", "domain.drift domain.trigger domain.alerting reporting.page adapters.drift_report"),
    ],
)
def test_a_flow_loads_what_it_is_about_and_no_other_subject(flow: str, others: str) -> None:
    code = f"import sys, flows.{flow}; print(*(name for name in sys.modules if name.startswith('releve.')))"

    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    names = [name.removeprefix("releve.") for name in loaded.stdout.split()]
    assert [name for name in names if name.startswith(tuple(others.split()))] == []


def test_a_process_that_loaded_a_flow_ends_without_looking_for_garbage() -> None:
    code = """
class Kept:
    def __del__(self):
        print("looked for")
one = Kept()
one.itself = one
del one
"""
    ends = [
        subprocess.run([sys.executable, "-c", loaded + code], cwd=ROOT, capture_output=True, text=True, check=True)
        for loaded in ("", "import flows")
    ]

    assert [each.stdout for each in ends] == ["looked for\n", ""]
