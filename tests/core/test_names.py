import pytest

from releve.core.errors import BadInput
from releve.core.names import check_scenario_name


@pytest.mark.parametrize("name", ["a", "7", "digits", "bike-2011_v2", "a" * 62, "a" * 63])
def test_an_allowed_name_comes_back_unchanged(name):
    assert check_scenario_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "a" * 64, "Digits", "_a", "-a", "a b", "a/b", "..", "a.b", "é", "a\n", "a;rm", None, 7]
)
def test_a_name_that_a_path_a_branch_or_a_shell_could_misread_is_refused(name):
    with pytest.raises(BadInput, match="is not allowed"):
        check_scenario_name(name)


def test_the_refusal_repeats_the_name_and_says_what_is_allowed():
    with pytest.raises(BadInput) as refusal:
        check_scenario_name("Bad Name")

    assert "'Bad Name'" in str(refusal.value)
    assert "1 to 63 lower-case letters" in str(refusal.value)
