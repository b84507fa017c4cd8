import copy
import re
from datetime import UTC, date, datetime

import pytest
import yaml

from releve.core.errors import BadInput
from releve.core.params import ALL_RECIPES, known_keys, merge, parse
from releve.domain.training.recipes import RECIPES
from tests import settings_reference
from tests.tables import ROOT, base_params, make_params


def test_the_keys_of_params_yaml_are_exactly_the_known_ones_in_their_order():
    in_the_file = [f"{section}.{key}" for section, values in base_params().items() for key in values]

    assert in_the_file == known_keys()


def test_every_key_of_params_yaml_says_what_it_means():
    lines = [line for line in (ROOT / "params.yaml").read_text().splitlines() if re.match(r'  [\w"]', line)]

    without = [line for line in lines if not re.search(r" # .{10,}", line)]

    assert len(lines) == len(known_keys())
    assert without == []


def test_the_page_of_all_settings_says_what_params_yaml_says():
    assert settings_reference.PAGE.read_text() == settings_reference.page(), "python -m tests.settings_reference"


def test_the_first_part_of_params_yaml_says_when_to_set_what():
    first = settings_reference.sections((ROOT / "params.yaml").read_text().partition("# Part two")[0])

    assert all(any(setting.when for setting in section.settings) for section in first)
    assert 10 <= sum(bool(setting.when) for section in first for setting in section.settings) <= 16


@pytest.mark.parametrize(
    ("change", "suggestion"),
    [
        ({"gate": {"margins": 1}}, "'gate.margins' is not a known key; did you mean 'gate.margin'?"),
        ({"gates": {}}, "'gates' is not a known key; did you mean 'gate'?"),
        ({"monitor": {"alfa": 0.1}}, "'monitor.alfa' is not a known key; did you mean 'monitor.alpha'?"),
    ],
)
def test_an_unknown_key_is_refused_and_the_closest_known_one_suggested(change, suggestion):
    with pytest.raises(BadInput, match=re.escape(suggestion)):
        make_params(**change)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"estimate": {"min_rows": 3}}, "'estimate' is not a known key"),
        ({"search": {"recipes": ["svm"]}}, "'search.recipes' is not a known key"),
        ({"gate": {"seed": 3}}, "'gate.seed' is not a known key; did you mean 'statistics.seed'?"),
        ({"gate": {"slices": "a"}}, "'gate.slices' is 'a', but it should be a list"),
        ({"gate": None}, "'gate' is empty, but it should be a section: keys with values"),
        (
            {"train": {"recipe": "svm", "options": {"a": [1]}}},
            "but its a should be a number, a text, true, false or null",
        ),
        ({"train": {"recipe": "svm", "options": {"C": float("nan")}}}, "but its C should be a number, a text"),
        ({"train": {"recipe": ["svm", "svm"]}}, "'train.recipe' is ['svm', 'svm'], but has a recipe twice"),
        ({"train": {"recipe": ["svm", "linear"], "options": {"C": 1}}}, "'train.options' are of one recipe"),
        ({"age": {"max_idle_days": float("inf")}}, "'age.max_idle_days' is inf, but it should be a finite number"),
        ({"search": {"seconds": float("nan")}}, "'search.seconds' is nan, but it should be a finite number"),
        (
            {"compute": {"address": "host:1"}},
            "but it should be empty, local, or the address of a scheduler: tcp://host:port",
        ),
        ({"index": {"min_recall": 0.9}}, "'index.min_recall' is 0.9, and an index of type FLAT has to find 0.99"),
        ({"index": {"type": "HNSW", "min_recall": 0.949}}, "an index of type HNSW has to find 0.95"),
        ({"index": {"filters": ["plan", "batch"]}}, "but a filter called 'batch' has another meaning"),
        ({"index": {"filters": ["plan", "plan"]}}, "but has a column twice"),
        ({"card": {"owner": ["x" * 300]}}, "(304 characters), but it should be a text"),
        ({"x" * 300: {}}, "... (300 characters)' is not a known key"),
    ],
)
def test_a_wrong_setting_is_one_problem_in_plain_words(change, problem):
    with pytest.raises(BadInput) as caught:
        make_params(**change)

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("index", "floor"),
    [
        ({}, 0.99),
        ({"type": "HNSW"}, 0.95),
        ({"type": "IVF_FLAT", "min_recall": 0.97}, 0.97),
        ({"min_recall": 1.0}, 1.0),
    ],
)
def test_an_index_has_to_find_what_is_set_or_what_its_type_promises(index, floor):
    assert make_params(index=index).index.recall_floor == floor


@pytest.mark.parametrize("key", ["alerts.webhook_env", "source.url_env"])
@pytest.mark.parametrize("value", ["https://hooks.example/s3cret", ["s3cret"]])
def test_an_address_where_a_variable_s_name_belongs_is_not_shown(key, value):
    section, name = key.split(".")

    with pytest.raises(BadInput, match=f"'{key}' should be") as caught:
        make_params(**{section: {name: value}})

    assert "s3cret" not in str(caught.value)
    assert "pattern" not in str(caught.value)


def test_a_key_that_resembles_none_is_refused_without_a_guess():
    with pytest.raises(BadInput, match=r"'zzzzzz' is not a known key$"):
        make_params(zzzzzz={})


@pytest.mark.parametrize("key", known_keys())
def test_every_key_has_to_be_there(key):
    section, name = key.split(".")
    values = base_params()
    del values[section][name]

    with pytest.raises(BadInput, match=f"shop.yaml: '{key}' is missing"):
        parse(values, source="shop.yaml")


def test_every_section_has_to_be_there():
    values = base_params()
    del values["gate"]

    with pytest.raises(BadInput, match="'gate' is missing"):
        parse(values, source="a test")


@pytest.mark.parametrize("value", ["300", 300.5, None, True, [300]])
def test_a_value_of_another_type_is_not_converted(value):
    shown = "empty" if value is None else repr(value)

    with pytest.raises(BadInput, match=re.escape(f"'monitor.window_rows' is {shown}, but it should be a whole number")):
        make_params(monitor={"window_rows": value})


def test_several_mistakes_are_told_at_once():
    with pytest.raises(BadInput) as caught:
        make_params(gate={"margin": 2.0}, statistics={"seed": "x"}, search={"min_day": 0.5})

    assert "gate.margin" in str(caught.value)
    assert "statistics.seed" in str(caught.value)
    assert "did you mean 'search.min_days'?" in str(caught.value)


@pytest.mark.parametrize(
    ("section", "key", "allowed", "refused"),
    [
        ("ingest", "max_rejected_share", [0, 0.5, 1], [-0.001, 1.001]),
        ("monitor", "alpha", [0.01, 0.99], [0.0, 1.0]),
        ("alerts", "repeat_hours", [0, 0.1], [-0.1]),
        ("train", "last_batches", [0, 1], [-1, "auto"]),
        ("search", "on", [(), ("age",)], [["time"], "drift", True]),
        ("trigger", "retraining_cost", [0.0, 2.5], [-0.1]),
        ("storage", "keep_releases", [1, 10], [0]),
        ("statistics", "seed", [0, 2**32 - 1], [-1, 2**32]),
        ("search", "trials", [0, 1], [-1]),
        ("compute", "address", ["", "local", "tcp://127.0.0.1:8786"], ["127.0.0.1:8786", "tcp://", None]),
        ("compute", "workers", [0, 1], [-1]),
        ("release", "expires_hours", [0, 72.5], [-0.1]),
        ("release", "approval", ["none"], ["maybe", True, None]),
        (
            "release",
            "approvers",
            [{}, {"a.b@c-d_e": "ab" * 32}],
            [{"a b": "ab" * 32}, {"": "ab" * 32}, {"a": "AB" * 32}],
        ),
        ("train", "options", [{}], [{"x": [1]}, [], None, {"scale": "minmax"}]),
    ],
)
def test_limits_hold_at_their_boundaries(section, key, allowed, refused):
    for value in allowed:
        assert getattr(getattr(make_params(**{section: {key: value}}), section), key) == value

    for value in refused:
        with pytest.raises(BadInput, match=rf"'{section}\.{key}"):
            make_params(**{section: {key: value}})


def test_a_scenario_overrides_single_keys_and_keeps_the_others():
    params = make_params(train={"recipe": "svm", "options": {"gamma": 0.001, "x": None, "scale": "none"}})

    assert params.train.recipe == ("svm",)
    assert params.train.options == {"gamma": 0.001, "x": None, "scale": "none"}
    assert params.train.last_batches == base_params()["train"]["last_batches"]


def test_recipes_are_one_by_name_a_list_to_choose_among_or_all():
    assert make_params(train={"recipe": "svm"}).train.named == "svm"
    assert make_params(train={"recipe": ["svm", "linear"]}).train.recipe == ("svm", "linear")
    assert make_params(train={"recipe": ["svm", "linear"]}).train.named is None
    assert make_params().train.recipe == tuple(name for name in RECIPES if name not in ("constant", "seasonal"))
    assert make_params(train={"recipe": "constant"}).train.named == "constant"
    assert set(ALL_RECIPES) == set(RECIPES)


@pytest.mark.parametrize("value", ["SVM", "forest", "", [], ["auto"], ["forest"], None, {"svm": 1}])
def test_what_names_no_recipe_is_refused_in_one_sentence(value):
    with pytest.raises(
        BadInput, match=r"'train.recipe' is .*, but it should be auto, constant, .*, or a list of these$"
    ):
        make_params(train={"recipe": value})


@pytest.mark.parametrize(("approval", "needed"), [("none", 0), ("required", 1), ("two_people", 2)])
def test_as_many_people_are_named_as_have_to_approve(approval, needed):
    named = {name: letter * 64 for name, letter in (("anna", "a"), ("ben", "b"))}

    for count in range(3):
        rules = {"approval": approval, "approvers": dict([*named.items()][:count])}
        if count >= needed:
            assert make_params(release=rules).release.people == needed
        else:
            with pytest.raises(BadInput, match=rf"'release.approvers' names {count}; `releve approver NAME` makes"):
                make_params(release=rules)


@pytest.mark.parametrize("approvers", [{"anna": "secret"}, {"anna secret": "a" * 64}, {"a": "b" * 64, "c": "b" * 64}])
def test_wrong_approvers_are_refused_and_no_token_is_repeated(approvers):
    with pytest.raises(BadInput, match=r"'release\.approvers' (has|gives)") as error:
        make_params(release={"approvers": approvers})

    assert "secret" not in str(error.value) or "anna secret" in approvers  # a name is no secret


def test_a_check_cannot_both_refuse_a_file_and_be_ignored():
    with pytest.raises(BadInput, match=r"'batch.ignore' is \['missing'\], but batch.refuse lists missing, too"):
        make_params(batch={"refuse": ["missing", "time_back"], "ignore": ["missing"]})


def test_every_setting_that_a_message_names_exists():
    sources = [path for layer in ("releve", "tasks", "flows") for path in (ROOT / layer).rglob("*.py")]
    named = re.findall(r"\(params\.yaml: ([a-z_]+\.[a-z0-9_]+)", "".join(path.read_text() for path in sources))

    assert len(named) > 10
    assert set(named) - {*known_keys()} == set()


def test_there_are_at_most_97_settings():
    assert len(known_keys()) <= 97


def test_merging_leaves_both_arguments_alone():
    base, override = {"gate": {"margin": 0.0, "seed": 7}, "x": 1}, {"gate": {"margin": 0.1}, "new": {"a": 1}}
    before = copy.deepcopy((base, override))

    merged = merge(base, override)

    assert merged == {"gate": {"margin": 0.1, "seed": 7}, "x": 1, "new": {"a": 1}}
    assert (base, override) == before


def test_a_section_that_is_no_section_replaces_it_and_is_refused_by_name():
    with pytest.raises(BadInput, match="'gate' is 5"):
        parse(merge(base_params(), {"gate": 5}), source="a test")


def test_params_cannot_be_changed_afterwards():
    params = make_params()

    with pytest.raises(ValueError, match="frozen"):
        params.gate.margin = 0.5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1.5", 1.5),
        ("'9'", "9"),
        ("''", ""),
        ("1970-01-01", date(1970, 1, 1)),
        ("1970-01-01 12:00:00", datetime(1970, 1, 1, 12)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_query_may_begin_at_whatever_yaml_makes_of_a_number_a_text_or_a_date(text, value):
    since = make_params(source=yaml.safe_load(f"since: {text}")).source.since

    assert since == value
    assert type(since) is type(value)


@pytest.mark.parametrize("text", ["true", "", ".nan", ".inf", "[1]"])
def test_what_no_watermark_is_larger_than_is_refused_in_one_sentence(text):
    with pytest.raises(BadInput, match=r"'source.since' is .*, but it should be a number, a text or a date, such as 0"):
        make_params(source=yaml.safe_load(f"since: {text}"))
