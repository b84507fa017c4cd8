"""Which release answers for which scenario: a real registry, a real model store, and an index that is away."""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from releve.adapters.files import write_json
from releve.adapters.models.description import DESCRIPTION, read_description
from releve.adapters.models.model_runtime import load
from releve.adapters.registry.registry import ChainBroken, Current, Registry
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import StorageRefused
from releve.core.params import ServiceLimits
from releve.core.settings import LOOPBACK, Settings
from releve.domain.neighbours.index_versions import IndexVersion
from releve.domain.registry.events import IndexMoved, ModelReleased, ModelWithdrawn, ScenarioArchived
from releve.domain.registry.release import IndexUpdate
from releve.serving.faults import UnknownScenario
from releve.serving.scenarios import loading
from releve.serving.scenarios.loading import RETRY_SECONDS, ReleaseUnusable
from releve.serving.scenarios.scenario import NoRelease, NotLoaded
from releve.serving.scenarios.scenarios import NotReady, Scenarios
from releve.serving.served import Served
from tests.evaluations import make_evaluation
from tests.events import make_challenger
from tests.factories import SCENARIO, make_model_folder, make_project, make_release, make_row, make_stored_model
from tests.serving.conftest import registry_of, release_first
from tests.serving.process import free_port, wait_until

MakeScenarios = Callable[..., Scenarios]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeScenarios]:
    """Makes what serves the scenarios of a project, with changed settings."""
    made: list[Scenarios] = []
    project = make_project(tmp_path)

    def of(*only: str, registry: Registry | None = None, **changes: int) -> Scenarios:
        settings = replace(Settings.from_environ({"RELEVE_HOME": str(tmp_path)}, cwd=project), **changes)
        index = VectorIndex(f"http://{LOOPBACK}:{free_port()}", timeout_seconds=0.2)
        registry = registry or registry_of(tmp_path)
        made.append(Scenarios(settings, registry=registry, index=index, only=only, poll_seconds=0.01))
        return made[-1]

    yield of
    for each in made:
        each.close()


@pytest.fixture
def scenarios(make: MakeScenarios) -> Scenarios:
    """What serves one scenario, which is loaded at once."""
    return make(SCENARIO)


def poll(scenarios: Scenarios) -> None:
    """Poll, and wait for what is loaded."""
    wait(scenarios.poll(), timeout=30)


def served(scenarios: Scenarios, name: str = SCENARIO) -> Served:
    """What answers, after loading it. Raises what forbids it."""
    try:
        return scenarios.get(name).served_now()
    except NotLoaded as missing:
        missing.load().result(timeout=30)
        return scenarios.get(name).served_now()


def release(home: Path, name: str, version: str, *, seed: int = 7) -> None:
    """Put a made model of any scenario into service, and describe the scenario in the project."""
    described = home / "project" / "scenarios" / name / "params.yaml"
    described.parent.mkdir(exist_ok=True)
    described.write_bytes((home / "project" / "scenarios" / SCENARIO / "params.yaml").read_bytes())
    stored = make_stored_model(home, version, scenario=name, seed=seed)
    registry = registry_of(home)
    current = registry.current(name)
    payload = ModelReleased(release=make_release(stored))
    registry.move(name, payload, expected=current.number if current else None, reason="a test", actor="tests")
    registry.close()


def test_before_the_first_release_nothing_serves_and_the_error_says_what_to_do(scenarios: Scenarios):
    poll(scenarios)

    with pytest.raises(NoRelease, match=r"no release of flowers is served yet: train and release one"):
        served(scenarios)


@pytest.mark.parametrize(
    ("promote", "told"),
    [
        (False, r"the gate refused the newest challenger, flowers:one \(make history SCENARIO=flowers says why"),
        (True, r"flowers:one was accepted and waits \(make release SCENARIO=flowers"),
    ],
)
def test_where_no_challenger_was_released_the_error_says_what_became_of_the_newest(
    scenarios: Scenarios, tmp_path: Path, promote: bool, told: str
):
    challenge = make_challenger("flowers:one", promote=promote)
    registry_of(tmp_path).append(SCENARIO, challenge, reason="a test", actor="tests")

    poll(scenarios)

    with pytest.raises(NoRelease, match=told):
        served(scenarios)


def test_what_was_challenged_before_the_scenario_was_archived_is_not_told(scenarios: Scenarios, tmp_path: Path):
    challenge = make_challenger("flowers:one", promote=False)
    registry_of(tmp_path).append(SCENARIO, challenge, reason="a test", actor="tests")
    registry_of(tmp_path).append(SCENARIO, ScenarioArchived(archive="flowers-1"), reason="a test", actor="tests")

    poll(scenarios)

    with pytest.raises(NoRelease, match="train and release one"):
        served(scenarios)


def test_what_is_released_is_known_before_the_first_request_comes(scenarios: Scenarios, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))

    scenarios.start()

    assert scenarios.only().released


def test_a_release_serves_although_the_index_is_away(scenarios: Scenarios, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))

    poll(scenarios)

    assert scenarios.get(SCENARIO).served_now().model.tag == "flowers:one"


def test_a_request_that_began_before_a_swap_keeps_its_release(scenarios: Scenarios, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    poll(scenarios)
    captured = served(scenarios)

    release_first(tmp_path, make_stored_model(tmp_path, "two", seed=8))
    poll(scenarios)

    assert scenarios.get(SCENARIO).predict(captured, [make_row()]).model == "flowers:one"
    assert served(scenarios).model.tag == "flowers:two"


def test_another_version_of_the_index_is_served_with_the_very_model_that_is_in_memory(
    scenarios: Scenarios, tmp_path: Path
):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    poll(scenarios)
    registry = registry_of(tmp_path)
    model, current = served(scenarios).model, registry.current(SCENARIO)
    assert current is not None
    update = IndexUpdate(version=IndexVersion(current.number), revision="r" * 40, data_version="d" * 32)
    newer = current.release.model_copy(update={"index_update": update})

    payload = IndexMoved(release=newer, since=current.since, new=9, gone=0)
    registry.move(SCENARIO, payload, expected=current.number, reason="newer rows", actor="test")
    poll(scenarios)

    assert served(scenarios).model is model
    assert served(scenarios).index == f"{current.release.index}@{current.number}"
    assert served(scenarios).since == current.since


def test_a_release_that_is_withdrawn_while_it_is_loaded_is_not_told_as_serving(
    scenarios: Scenarios, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    monkeypatch.setattr(loading, "warm_up", lambda _: scenarios.get(SCENARIO).withdraw())
    caplog.set_level(logging.INFO, "releve.serving")

    poll(scenarios)

    assert scenarios.get(SCENARIO).served is None
    assert "serving flowers:one" not in caplog.text


def test_the_same_release_is_not_loaded_again(scenarios: Scenarios, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    poll(scenarios)
    first = served(scenarios)

    assert scenarios.poll() == []
    assert served(scenarios) is first


def test_a_model_that_was_altered_does_not_serve_and_is_told_once(
    scenarios: Scenarios, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    poll(scenarios)
    release_first(tmp_path, make_stored_model(tmp_path, "two", seed=8), model_digest="0" * 64)
    caplog.clear()

    with caplog.at_level(logging.WARNING, logger="releve.serving"):
        poll(scenarios)
        poll(scenarios)

    assert served(scenarios).model.tag == "flowers:one"
    assert len(caplog.messages) == 1 and "cannot be served" in caplog.messages[0]


def test_troubles_of_several_scenarios_are_told_once_each_until_they_end(
    make: MakeScenarios, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    for name in ("flowers", "trees"):
        release(tmp_path, name, "one")
    broken = {"flowers", "trees"}
    current = Registry.current

    def read(registry: Registry, name: str) -> Current | None:
        if name in broken:
            raise ChainBroken(f"{name} was altered")
        return current(registry, name)

    monkeypatch.setattr(Registry, "current", read)
    scenarios = make()

    for _ in range(3):
        poll(scenarios)
    assert [each.partition(" cannot")[0] for each in caplog.messages] == [
        "the release of flowers",
        "the release of trees",
    ]
    broken.clear()
    poll(scenarios)
    release(tmp_path, "trees", "two")
    broken.add("trees")
    poll(scenarios)
    assert len(caplog.messages) == 3


def test_after_a_broken_release_the_next_whole_one_serves(scenarios: Scenarios, tmp_path: Path):
    stored = make_stored_model(tmp_path, "one")
    release_first(tmp_path, stored, model="flowers:gone")
    poll(scenarios)
    with pytest.raises(
        ReleaseUnusable, match=r"flowers:gone is released for flowers and cannot be loaded: there is no"
    ):
        served(scenarios)

    release_first(tmp_path, stored)
    poll(scenarios)

    assert served(scenarios).model.tag == "flowers:one"


def test_a_release_that_could_not_be_loaded_is_tried_again_later(
    scenarios: Scenarios, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stored = make_stored_model(tmp_path, "one")
    release_first(tmp_path, stored)
    aside = stored.path.rename(stored.path.with_name("aside"))
    poll(scenarios)
    aside.rename(stored.path)

    with pytest.raises(ReleaseUnusable):
        served(scenarios)
    later = time.monotonic() + RETRY_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)

    assert served(scenarios).model.tag == "flowers:one"


def test_a_withdrawn_release_stops_serving(scenarios: Scenarios, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    poll(scenarios)
    registry = registry_of(tmp_path)
    current = registry.current(SCENARIO)
    assert current is not None

    registry.move(SCENARIO, ModelWithdrawn(), expected=current.number, reason="a test", actor="tests")
    poll(scenarios)

    with pytest.raises(NoRelease):
        served(scenarios)
    registry.close()


def test_what_serves_goes_on_where_an_empty_registry_takes_the_place_of_the_one(scenarios: Scenarios, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    poll(scenarios)
    served(scenarios)

    (tmp_path / "registry.db").unlink()
    registry_of(tmp_path).close()
    poll(scenarios)

    assert not scenarios.registry_reachable
    assert served(scenarios).model.tag == "flowers:one"


def test_what_serves_goes_on_while_the_registry_is_away(scenarios: Scenarios, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    poll(scenarios)
    reachable = scenarios.registry_reachable
    scenarios._registry = Registry("sqlite:////proc/nowhere/registry.db")

    poll(scenarios)

    assert (reachable, scenarios.registry_reachable) == (True, False)
    assert served(scenarios).model.tag == "flowers:one"
    scenarios.check_ready()


def test_the_watcher_notices_a_release_by_itself_and_stops_when_told(scenarios: Scenarios, tmp_path: Path):
    scenarios.start()

    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    wait_until(lambda: scenarios.get(SCENARIO).served is not None)

    scenarios.close()
    assert not any(thread.is_alive() for thread in scenarios._threads)


def test_a_model_is_loaded_at_the_first_request_unless_its_scenario_was_named(make: MakeScenarios, tmp_path: Path):
    release(tmp_path, SCENARIO, "one")
    every, named = make(), make(SCENARIO)

    poll(every)
    poll(named)

    assert (every.get(SCENARIO).served, every.get(SCENARIO).released) == (None, True)
    assert named.get(SCENARIO).served is not None
    assert served(every).model.tag == "flowers:one"


def test_one_process_serves_every_scenario_that_is_released(make: MakeScenarios, tmp_path: Path):
    for name in ("tulips", "roses"):
        release(tmp_path, name, "one")
    every, narrowed = make(), make("roses")
    poll(every)
    poll(narrowed)

    assert [each.name for each in every.released()] == ["roses", "tulips"]
    assert [served(every, name).model.tag for name in ("tulips", "roses")] == ["tulips:one", "roses:one"]
    assert [each.name for each in narrowed.released()] == ["roses"]
    with pytest.raises(UnknownScenario):
        narrowed.get("tulips")


def test_the_short_paths_are_of_the_one_scenario_that_is_served(make: MakeScenarios, tmp_path: Path):
    every = make()
    poll(every)
    with pytest.raises(NoRelease, match="no release of any scenario is served yet"):
        every.only()

    release(tmp_path, "roses", "one")
    poll(every)
    sole = every.only()
    release(tmp_path, "tulips", "one")
    poll(every)

    assert sole.name == "roses"
    with pytest.raises(UnknownScenario, match=r"serves several scenarios \(roses, tulips\); say which"):
        every.only()


@pytest.mark.parametrize("name", ["nothing", "..", "", "UPPER"])
def test_a_name_that_is_no_scenario_is_unknown(make: MakeScenarios, name: str):
    with pytest.raises(UnknownScenario):
        make().get(name)


def test_a_scenario_of_the_project_that_is_not_released_says_so(make: MakeScenarios):
    every = make()
    poll(every)

    with pytest.raises(NoRelease, match="no release of flowers is served yet"):
        served(every)
    assert every.released() == []


def test_over_the_budget_the_model_that_was_not_asked_for_longest_goes(make: MakeScenarios, tmp_path: Path):
    names = ["flowers", "roses", "tulips"]
    for name in names:
        release(tmp_path, name, "one")
    small, large = make(service_memory=1), make(service_memory=10_000)
    for each in (small, large):
        poll(each)
        for name in names:
            served(each, name)

    assert [each.name for each in small.released() if each.served] == ["tulips"]
    assert [each.name for each in large.released() if each.served] == names
    assert served(small, "flowers").model.tag == "flowers:one"  # it comes back when it is asked for


def test_a_model_that_serves_for_a_broken_successor_never_goes(make: MakeScenarios, tmp_path: Path):
    for name in (SCENARIO, "roses"):
        release(tmp_path, name, "one")
    every = make(service_memory=1)
    poll(every)
    served(every)
    release_first(tmp_path, make_stored_model(tmp_path, "two", seed=8), model_digest="0" * 64)
    poll(every)

    served(every, "roses")

    assert served(every).model.tag == "flowers:one"


def test_a_model_that_a_request_waits_for_stays_until_it_was_used(make: MakeScenarios, tmp_path: Path):
    for name in (SCENARIO, "roses", "tulips"):
        release(tmp_path, name, "one")
    every = make(service_memory=1)
    poll(every)
    with pytest.raises(NotLoaded) as missing:
        every.get(SCENARIO).served_now()

    with missing.value.kept():
        missing.value.load().result(timeout=30)
        served(every, "roses")
        found = every.get(SCENARIO).served_now().model.tag
    served(every, "tulips")

    assert found == "flowers:one"
    assert [each.name for each in every.released() if each.served] == ["tulips"]


def test_a_budget_that_requests_exceeded_is_kept_again_once_they_are_answered(make: MakeScenarios, tmp_path: Path):
    for name in (SCENARIO, "roses"):
        release(tmp_path, name, "one")
    every = make(service_memory=1)
    poll(every)
    every.start()
    with ExitStack() as kept:
        for name in (SCENARIO, "roses"):
            with pytest.raises(NotLoaded) as missing:
                every.get(name).served_now()
            kept.enter_context(missing.value.kept())
            missing.value.load().result(timeout=30)
        loaded = [each.name for each in every.released() if each.served]

    wait_until(lambda: [each.name for each in every.released() if each.served] == ["roses"])
    assert loaded == [SCENARIO, "roses"]


def test_scenarios_that_were_named_take_no_place_in_memory_from_each_other(make: MakeScenarios, tmp_path: Path):
    names = [SCENARIO, "roses", "tulips"]
    for name in names:
        release(tmp_path, name, "one")
    every = make(*names, service_memory=1)

    poll(every)
    [kept] = [each.name for each in every.released() if each.served]
    polls = [every.poll() for _ in range(3)]
    asked = next(name for name in names if name != kept)
    answered = served(every, asked).model.tag

    assert [*polls, every.poll()] == [[], [], [], []]
    assert answered == f"{asked}:one"
    assert [each.name for each in every.released() if each.served] == [asked]


def test_a_release_takes_no_place_in_memory_from_what_was_asked_later(make: MakeScenarios, tmp_path: Path):
    for name in (SCENARIO, "roses"):
        release(tmp_path, name, "one")
    every = make(service_memory=10_000)
    poll(every)
    for name in (SCENARIO, "roses"):
        served(every, name)
    every._loader._budget = 1

    release(tmp_path, SCENARIO, "two", seed=8)
    poll(every)

    assert [each.name for each in every.released() if each.served] == ["roses"]
    assert served(every).model.tag == "flowers:two"


def test_many_who_ask_for_a_model_at_once_wait_for_one_load(make: MakeScenarios, tmp_path: Path):
    release(tmp_path, SCENARIO, "one")
    every = make()
    poll(every)
    scenario = every.get(SCENARIO)

    futures = {id(scenario._load(scenario)) for _ in range(20)}

    assert len(futures) == 1
    wait([scenario._load(scenario)], timeout=30)
    assert scenario.served is not None


@pytest.mark.parametrize("only", [(), (SCENARIO,)])
def test_a_worker_is_ready_once_it_can_answer(make: MakeScenarios, tmp_path: Path, only: tuple[str, ...]):
    each = make(*only)
    with pytest.raises(NotReady, match="the registry is not reached"):
        each.check_ready()
    poll(each)
    with pytest.raises(NotReady, match="no release is served yet"):
        each.check_ready()
    release_first(tmp_path, make_stored_model(tmp_path, "one"))

    poll(each)

    each.check_ready()


def test_a_worker_that_cannot_write_its_ledger_is_not_ready(scenarios: Scenarios, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    poll(scenarios)
    scenarios.check_ready()
    (tmp_path / "ledger").rmdir()
    (tmp_path / "ledger").write_text("stands in the way")

    with pytest.raises(StorageRefused, match="ledger cannot be used"):
        scenarios.check_ready()


@pytest.mark.parametrize("naive", [True, False])
def test_every_answer_says_whether_the_naive_answer_serves(make: MakeScenarios, tmp_path: Path, naive: bool):
    folder = make_model_folder(tmp_path)
    described = read_description(folder, tag="flowers:one")
    evaluation = make_evaluation(naive=naive)
    write_json(folder / DESCRIPTION, described.model_copy(update={"evaluation": evaluation}).to_json())
    pinned = make()
    model = load(folder, tag="flowers:one")
    pinned.pin(SCENARIO, Served(model, ServiceLimits(max_rows=10), since="2026-01-01T00:00:00+00:00"))

    answered = pinned.only().predict(served(pinned), [make_row()])

    assert answered.served.is_naive is naive
