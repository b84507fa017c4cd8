from copy import deepcopy

import yaml

from releve.domain.scheduling.prefect_yaml import deployments_for, with_command
from tests.tables import ROOT

FILE = yaml.safe_load((ROOT / "prefect.yaml").read_text())
BUNDLED = FILE["deployments"]


NIGHTLY = 25.0  # hours; as the file says


def scenarios(*names):
    return dict.fromkeys(names, NIGHTLY)


def names(written):
    return [each["name"] for each in written["deployments"]]


def without_triggers(deployment):
    return {key: value for key, value in deployment.items() if key != "triggers"}


def triggers(written, name):
    return next(each["triggers"] for each in written["deployments"] if each["name"] == name)


def test_the_scenario_that_the_file_names_keeps_what_the_file_says():
    assert deployments_for(FILE, scenarios("digits")) == FILE


def test_another_scenario_gets_the_same_under_names_of_its_own():
    written = deployments_for(FILE, scenarios("digits", "churn"))

    added = written["deployments"][len(BUNDLED) :]
    assert written["deployments"][: len(BUNDLED)] == BUNDLED
    for made, original in zip(added, BUNDLED, strict=True):
        assert original["description"].startswith("Scenario digits. ")
        description = original["description"].replace("digits", "churn")
        changes = {
            "name": f"{original['name']}-churn",
            "description": description,
            "parameters": {"scenario": "churn"},
        }
        assert without_triggers(made) == {**without_triggers(original), **changes}


def test_a_scenario_without_a_folder_gets_nothing():
    assert names(deployments_for(FILE, scenarios("churn"))) == [f"{each['name']}-churn" for each in BUNDLED]
    assert names(deployments_for(FILE, {})) == []


def test_a_scenario_that_a_person_wrote_deployments_for_gets_no_others():
    own = {**BUNDLED[0], "name": "nightly-churn", "parameters": {"scenario": "churn"}}
    file = {**FILE, "deployments": [*BUNDLED, own]}

    assert deployments_for(file, scenarios("churn"))["deployments"] == [own]


def test_the_file_is_left_alone():
    before = deepcopy(FILE)

    deployments_for(FILE, scenarios("churn"))

    assert before == FILE


def test_a_missing_run_is_waited_for_at_each_scenario_as_long_as_its_params_say():
    written = deployments_for(FILE, {"digits": NIGHTLY, "churn": 1.5})

    (digits,), (churn,) = triggers(written, "monitor"), triggers(written, "monitor-churn")
    assert (digits["within"], churn["within"]) == (90000, 5400)
    assert churn["match"] == {"prefect.resource.id": "releve.scenario.churn"}
    assert churn["name"] == "silence-churn"
    assert churn["description"].startswith("Start a monitoring run of churn")
    assert digits["expect"] == churn["expect"] == ["releve.monitor.completed"]


def test_a_trigger_that_a_person_wrote_in_few_words_goes_to_the_other_scenarios_as_it_is():
    ours = {
        "type": "event",
        "expect": ["releve.alert.data.broken"],
        "match": {"prefect.resource.id": ["a.digits", "b"]},
    }
    plain = {"type": "event", "expect": ["prefect.flow-run.Failed"]}
    file = {**FILE, "deployments": [{**BUNDLED[0], "triggers": [ours, plain]}]}

    written = deployments_for(file, {"churn": 0.0})

    moved = {**ours, "match": {"prefect.resource.id": ["a.churn", "b"]}}
    assert written["deployments"][0]["triggers"] == [moved, plain]


def test_no_run_is_waited_for_where_silence_is_allowed():
    written = deployments_for(FILE, {"digits": 0.0, "churn": 0.001, "elec2": None})

    assert triggers(written, "monitor") == []
    assert triggers(written, "monitor-churn")[0]["within"] == 10  # seconds, the least that Prefect takes
    assert triggers(written, "monitor-elec2")[0]["within"] == 90000  # its params cannot be read


def test_every_deployment_that_names_no_command_of_its_own_gets_the_one_given():
    own = {"name": "local", "job_variables": {"command": "mine", "env": {}}}
    file = deepcopy(FILE)
    file["deployments"][0]["work_pool"] = own

    first, *others = [each["work_pool"] for each in with_command(file, "given")["deployments"]]

    assert first == own
    assert [each["job_variables"] for each in others] == [{"command": "given"}] * len(others)
