from copy import deepcopy

import pytest
import yaml

from releve.core.errors import BadInput
from releve.core.params import Schedule
from releve.domain.scheduling.deployments import (
    DeploymentChange,
    change_for,
    is_removed,
    reason_tag,
    scenario_tag,
    schedules_of,
    with_command,
)
from tests.tables import ROOT, make_params

FILE = yaml.safe_load((ROOT / "prefect.yaml").read_text())
NEVER, NIGHTLY = Schedule(cron="", timezone="UTC"), Schedule(cron="30 2 * * *", timezone="Europe/Paris")
ROW = {
    "slug": "scenario-churn",
    "schedule": {"cron": "30 2 * * *", "timezone": "Europe/Paris"},
    "parameters": {"scenario": "churn"},
    "active": True,
}


def deployment(name="lifecycle", *, offers=("churn", "digits"), rows=()):
    """As Prefect's server tells of it, which has more to say of a schedule than it was given."""
    scenario = {"type": "string"} | ({"enum": [*offers]} if offers is not None else {})
    return {
        "name": name,
        "entrypoint": f"flows/{name}.py:{name}",
        "parameter_openapi_schema": {"type": "object", "properties": {"scenario": scenario}, "required": ["scenario"]},
        "schedules": [
            {**row, "id": f"id of {row['slug']}", "schedule": {**row["schedule"], "day_or": True}} for row in rows
        ],
    }


def test_there_is_one_deployment_for_each_flow_and_none_for_a_scenario():
    names = [each["name"] for each in FILE["deployments"]]

    assert names == [each["entrypoint"].partition(":")[2] for each in FILE["deployments"]]
    assert len({*names}) == len(names)
    assert not any("parameters" in each for each in FILE["deployments"])


def test_a_deployment_that_offers_the_scenarios_there_are_is_left_alone():
    assert change_for(deployment(), {"churn": NEVER, "digits": NEVER}) is None


@pytest.mark.parametrize("offers", [None, (), ("churn",), ("churn", "digits", "gone")])
def test_a_deployment_comes_to_offer_the_scenarios_there_are_and_no_others(offers):
    given = deployment(offers=offers)
    before = deepcopy(given)

    change = change_for(given, {"digits": NEVER, "churn": NEVER})

    schema = change.patch["parameter_openapi_schema"]
    assert schema["properties"]["scenario"]["enum"] == ["churn", "digits"]
    assert schema["required"] == ["scenario"]
    assert given == before


def test_a_flow_of_all_scenarios_offers_none():
    given = {**deployment("fleet"), "parameter_openapi_schema": {"type": "object", "properties": {}}}

    assert change_for(given, {"churn": NIGHTLY}) is None


def test_a_scenario_with_a_schedule_of_its_own_gets_a_row_of_the_lifecycle_alone():
    scenarios = {"churn": NIGHTLY, "digits": NEVER}

    assert change_for(deployment(), scenarios) == DeploymentChange({"schedules": [ROW]})
    assert change_for(deployment(rows=[ROW]), scenarios) is None
    assert change_for(deployment("ingest"), scenarios) is None


def test_a_row_follows_the_schedule():
    later = Schedule(cron="30 2 * * *", timezone="UTC")

    change = change_for(deployment(rows=[ROW]), {"churn": later, "digits": NEVER})

    assert change == DeploymentChange({"schedules": [{**ROW, "schedule": {"cron": "30 2 * * *", "timezone": "UTC"}}]})


def test_a_row_goes_with_its_schedule_or_its_scenario_and_others_stay():
    by_a_person = {**ROW, "slug": "mine"}
    rows = [ROW, by_a_person]

    without_schedule = change_for(deployment(rows=rows), {"churn": NEVER, "digits": NEVER})
    without_scenario = change_for(deployment(offers=["digits"], rows=rows), {"digits": NEVER})
    unreadable = change_for(deployment(rows=rows), {"churn": None, "digits": NEVER})

    assert without_schedule == DeploymentChange({}, ("id of scenario-churn",))
    assert without_scenario == DeploymentChange({}, ("id of scenario-churn", "id of mine"))
    assert unreadable is None


def test_a_row_of_a_person_without_parameters_stays():
    row = {"slug": "mine", "schedule": {"interval": 60}, "parameters": {}}

    assert change_for(deployment(rows=[row]), {"churn": NEVER, "digits": NEVER}) is None


def test_what_prefect_yaml_has_no_more_is_removed_and_a_second_deployment_of_a_flow_is_not():
    names = ["lifecycle/lifecycle", "lifecycle/nightly"]

    assert not is_removed(deployment(), names)
    assert not is_removed({**deployment(), "name": "nightly"}, names)
    assert is_removed({**deployment(), "name": "lifecycle-churn"}, names)


def test_scenarios_whose_params_cannot_be_read_have_no_known_schedule():
    params = make_params(schedule={"cron": "30 2 * * *", "timezone": "Europe/Paris"})

    found = schedules_of(["uncommitted", "wrong", "shop"], {"shop": params, "wrong": BadInput("no params")})

    assert found == {"uncommitted": None, "wrong": None, "shop": NIGHTLY}


def test_runs_are_found_by_tags():
    assert (scenario_tag("churn"), reason_tag("drift")) == ("scenario:churn", "reason:drift")


def test_every_deployment_that_names_no_command_of_its_own_gets_the_one_given():
    own = {"name": "local", "job_variables": {"command": "mine", "env": {}}}
    file = deepcopy(FILE)
    file["deployments"][0]["work_pool"] = own
    before = deepcopy(file)

    first, *others = [each["work_pool"] for each in with_command(file, "given")["deployments"]]

    assert first == own
    assert [each["job_variables"] for each in others] == [{"command": "given"}] * len(others)
    assert file == before
