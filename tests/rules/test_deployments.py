from copy import deepcopy

import yaml

from releve.rules.deployments import deployments_for
from tests.tables import ROOT

FILE = yaml.safe_load((ROOT / "prefect.yaml").read_text())
BUNDLED = FILE["deployments"]


def names(found):
    return [each["name"] for each in found["deployments"]]


def test_the_scenario_that_the_file_names_keeps_what_the_file_says():
    assert deployments_for(FILE, ["digits"]) == FILE


def test_another_scenario_gets_the_same_under_names_of_its_own():
    found = deployments_for(FILE, ["digits", "churn"])

    added = found["deployments"][len(BUNDLED) :]
    assert found["deployments"][: len(BUNDLED)] == BUNDLED
    for made, original in zip(added, BUNDLED, strict=True):
        changes = {"name": f"{original['name']}-churn", "parameters": {"scenario": "churn"}}
        assert made == {**original, **changes}


def test_a_scenario_without_a_folder_gets_nothing():
    assert names(deployments_for(FILE, ["churn"])) == [f"{each['name']}-churn" for each in BUNDLED]
    assert names(deployments_for(FILE, [])) == []


def test_a_scenario_that_a_person_wrote_deployments_for_gets_no_others():
    own = {**BUNDLED[0], "name": "nightly-churn", "parameters": {"scenario": "churn"}}
    file = {**FILE, "deployments": [*BUNDLED, own]}

    assert deployments_for(file, ["churn"])["deployments"] == [own]


def test_the_file_is_left_alone():
    before = deepcopy(FILE)

    deployments_for(FILE, ["churn"])

    assert before == FILE
