"""The swap, step by step, with a real registry, model store and an index that is away."""

import json
import logging
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from releve.adapters.files import write_json
from releve.adapters.models.description import DESCRIPTION, read_description
from releve.adapters.models.model_runtime import load
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.adapters.registry.registry import Registry
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.params import ServiceLimits
from releve.core.settings import LOOPBACK
from releve.domain.registry.events import ModelWithdrawn, ScenarioArchived
from releve.serving.endpoints import Endpoints
from releve.serving.releases import RETRY_SECONDS, Follower, NoRelease, Pinned, Served
from tests.evaluations import make_evaluation
from tests.events import make_challenger
from tests.factories import SCENARIO, make_model_folder, make_row, make_stored_model
from tests.serving.conftest import registry_of, release_first
from tests.serving.process import free_port, wait_until


@pytest.fixture
def follower(tmp_path: Path) -> Follower:
    return make_follower(tmp_path)


def make_follower(home: Path, *, registry: Registry | None = None) -> Follower:
    index = VectorIndex(f"http://{LOOPBACK}:{free_port()}", timeout_seconds=0.2)
    registry = registry or registry_of(home)
    return Follower(SCENARIO, registry=registry, models=ModelStore(home), index=index, poll_seconds=0.01)


def test_before_the_first_release_nothing_serves_and_the_error_says_what_to_do(follower: Follower):
    follower.poll()

    with pytest.raises(NoRelease, match=r"no release of flowers is served yet: train and release one"):
        follower.served_now()


@pytest.mark.parametrize(
    ("promote", "told"),
    [
        (False, r"the gate refused the newest challenger, flowers:one \(make history SCENARIO=flowers says why"),
        (True, r"flowers:one was accepted and waits \(make release SCENARIO=flowers"),
    ],
)
def test_where_no_challenger_was_released_the_error_says_what_became_of_the_newest(
    follower: Follower, tmp_path: Path, promote: bool, told: str
):
    challenge = make_challenger("flowers:one", promote=promote)
    registry_of(tmp_path).append(SCENARIO, challenge, reason="a test", actor="tests")

    follower.poll()

    with pytest.raises(NoRelease, match=told):
        follower.served_now()


def test_what_was_challenged_before_the_scenario_was_archived_is_not_told(follower: Follower, tmp_path: Path):
    challenge = make_challenger("flowers:one", promote=False)
    registry_of(tmp_path).append(SCENARIO, challenge, reason="a test", actor="tests")
    registry_of(tmp_path).append(SCENARIO, ScenarioArchived(archive="flowers-1"), reason="a test", actor="tests")

    follower.poll()

    with pytest.raises(NoRelease, match="train and release one"):
        follower.served_now()


def test_a_release_serves_although_the_index_is_away(follower: Follower, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))

    follower.poll()

    assert follower.served is not None
    assert follower.served.model.tag == "flowers:one"


def test_a_request_that_began_before_a_swap_keeps_its_release(follower: Follower, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    follower.poll()
    captured = follower.served

    release_first(tmp_path, make_stored_model(tmp_path, "two", seed=8))
    follower.poll()

    assert captured is not None and captured.model.tag == "flowers:one"
    assert follower.served is not None and follower.served.model.tag == "flowers:two"


def test_the_same_release_is_not_loaded_again(follower: Follower, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    follower.poll()
    served = follower.served

    follower.poll()

    assert follower.served is served


def test_a_model_that_was_altered_does_not_serve_and_is_told_once(
    follower: Follower, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    follower.poll()
    release_first(tmp_path, make_stored_model(tmp_path, "two", seed=8), model_digest="0" * 64)
    caplog.clear()

    with caplog.at_level(logging.WARNING, logger="releve.serving"):
        follower.poll()
        follower.poll()

    assert follower.served is not None and follower.served.model.tag == "flowers:one"
    assert len(caplog.messages) == 1 and "cannot be served" in caplog.messages[0]


def test_after_a_broken_release_the_next_whole_one_serves(follower: Follower, tmp_path: Path):
    stored = make_stored_model(tmp_path, "one")
    release_first(tmp_path, stored, model="flowers:gone")
    follower.poll()
    assert follower.served is None

    release_first(tmp_path, stored)
    follower.poll()

    assert follower.served is not None


def test_a_release_that_could_not_be_loaded_is_tried_again_later(
    follower: Follower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stored = make_stored_model(tmp_path, "one")
    release_first(tmp_path, stored)
    aside = stored.path.rename(stored.path.with_name("aside"))
    follower.poll()
    aside.rename(stored.path)

    follower.poll()
    too_early = follower.served
    later = time.monotonic() + RETRY_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    follower.poll()

    assert too_early is None
    assert follower.served is not None


def test_a_withdrawn_release_stops_serving(follower: Follower, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    follower.poll()
    registry = registry_of(tmp_path)
    current = registry.current(SCENARIO)
    assert current is not None

    registry.move(SCENARIO, ModelWithdrawn(), expected=current.number, reason="a test", actor="tests")
    follower.poll()

    assert follower.served is None
    registry.close()


def test_what_serves_goes_on_while_the_registry_is_away(tmp_path: Path):
    follower = make_follower(tmp_path)
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    follower.poll()
    served = follower.served
    away = make_follower(tmp_path, registry=Registry("sqlite:////proc/nowhere/registry.db"))
    away.served = served

    away.poll()

    assert away.served is served
    assert (follower.registry_reachable, away.registry_reachable) == (True, False)


def test_the_watcher_notices_a_release_by_itself_and_stops_when_told(follower: Follower, tmp_path: Path):
    follower.start()
    assert follower.served is None

    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    wait_until(lambda: follower.served is not None)

    follower.stop()
    assert not follower._thread.is_alive()


@pytest.mark.parametrize("naive", [True, False])
def test_every_answer_and_the_status_say_whether_the_naive_answer_serves(tmp_path: Path, naive: bool):
    folder = make_model_folder(tmp_path)
    described = read_description(folder, tag="flowers:one")
    evaluation = make_evaluation(naive=naive)
    write_json(folder / DESCRIPTION, described.model_copy(update={"evaluation": evaluation}).to_json())
    pinned = Pinned(SCENARIO, Served(load(folder, tag="flowers:one"), since="2026-01-01T00:00:00+00:00"))
    ledger = LedgerWriter(tmp_path / "ledger", SCENARIO, clock=lambda: datetime.now(UTC))

    endpoints = Endpoints(releases=pinned, index=None, ledger=ledger, limits=ServiceLimits(max_rows=10))
    answer = endpoints.predict(json.dumps({"rows": [make_row()]}).encode())
    ledger.close()

    assert answer["naive"] is naive
    assert endpoints.status()["naive"] is naive
