import pytest
import yaml

from releve.core.errors import BadInput
from releve.domain.onboarding.pipeline_file import pipeline_text
from tests.tables import ROOT

BUNDLED = (ROOT / "scenarios/digits/dvc.yaml").read_text()


def test_the_name_is_changed_and_the_seed_is_gone():
    pipeline = yaml.safe_load(pipeline_text(BUNDLED, scenario="churn"))

    stages = yaml.safe_load(BUNDLED)["stages"]
    del stages["seed"]
    assert pipeline["stages"] == stages
    assert {"scenario": "churn"} in pipeline["vars"]


def test_a_copy_of_a_copy_is_a_copy():
    once = pipeline_text(BUNDLED, scenario="churn")

    assert pipeline_text(once, scenario="churn") == once
    assert pipeline_text(pipeline_text(BUNDLED, scenario="other"), scenario="churn") == once


def test_a_file_that_names_no_scenario_is_refused():
    with pytest.raises(BadInput, match="restore it from git"):
        pipeline_text("stages: {}\n", scenario="churn")
