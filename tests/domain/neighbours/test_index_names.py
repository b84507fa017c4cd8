import pytest

from releve.core.errors import BadInput
from releve.domain.neighbours.index_names import COLLECTION_NAME, alias_name, check_collection_name, collection_name


@pytest.mark.parametrize("scenario", ["digits", "2024-sales", "a_b", "x" * 63])
def test_every_scenario_name_gives_a_collection_name_that_milvus_accepts(scenario):
    assert COLLECTION_NAME.fullmatch(collection_name(scenario, "v" * 128))
    assert COLLECTION_NAME.fullmatch(alias_name(scenario))


def test_a_collection_is_named_after_its_scenario_and_version():
    assert collection_name("bike-hourly", "20240101-ab") == "releve_bike_hourly_20240101_ab"


def test_the_alias_of_a_scenario_can_never_be_a_collection():
    with pytest.raises(BadInput, match="'current'"):
        collection_name("digits", "current")

    assert alias_name("digits") == "releve_digits_current"


@pytest.mark.parametrize("version", ["", "v" * 129, "a/b", "a b", "a.b"])
def test_a_version_that_cannot_be_a_name_is_refused(version):
    with pytest.raises(BadInput, match="index version"):
        collection_name("digits", version)


def test_a_bad_scenario_name_is_refused_first():
    with pytest.raises(BadInput, match="scenario name"):
        collection_name("../up", "v1")


@pytest.mark.parametrize("name", ["a", "_", "a" * 255])
def test_a_name_of_the_allowed_letters_is_kept(name):
    assert check_collection_name(name) == name


@pytest.mark.parametrize("name", ["", "a" * 256, "1a", "a-b", "a b", "a/b", "../a", "é", "a\n", None])
def test_any_other_name_is_refused(name):
    with pytest.raises(BadInput, match="collection name"):
        check_collection_name(name)
