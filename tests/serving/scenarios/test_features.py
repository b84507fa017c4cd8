"""Features that nobody sends, as the service computes them while answers, labels and files come in."""

import gc
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import numpy as np
import pytest

from releve.adapters.files import write_document
from releve.adapters.known_values import known_values_path, write_known_values
from releve.adapters.models import model_runtime
from releve.adapters.models.model_runtime import HISTORY
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.core.names import ModelTag
from releve.core.params import ServiceLimits
from releve.core.settings import Settings
from releve.domain.arms.arms import Arm, ArmMode, RunningArms
from releve.domain.features.completion import complete_frame
from releve.domain.features.history import LagHistory
from releve.domain.features.known import KnownValues
from releve.domain.registry.events import ModelReleased
from releve.domain.schema.arrays import arrays_of_frame, rows_of_frame
from releve.serving.arms.trial import LiveTrial
from releve.serving.edge.metrics import Metrics
from releve.serving.faults import Refused
from releve.serving.openapi.cells import example_row, row_schema
from releve.serving.scenarios import features
from releve.serving.scenarios.scenario import Scenario
from releve.serving.scenarios.scenarios import Scenarios
from releve.serving.served import Served
from releve.serving.shadow.shadow import Shadow
from tests.domain.features.tables import PANEL_TABLE, RIDES_TABLE, panel, panel_schema, rides, rides_schema
from tests.events import make_arms_started
from tests.factories import SCENARIO, make_project, make_release
from tests.serving.conftest import registry_of
from tests.serving.process import wait_until
from tests.serving.tables import packed
from tests.tables import make_params

PAST, ALL = 150, 260
OTHER = {"lags": {"warmth": [1]}, "step": "hour"}
STEP = np.timedelta64(1, "h")
FRAME = rides(ALL, gaps=0)
SENT = rows_of_frame(rides_schema().sent, FRAME)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of the oldest rows, and what is known of these."""
    schema, made = rides_schema(), tmp_path_factory.mktemp("models") / "rides"
    made.mkdir()
    past = FRAME.iloc[:PAST]
    packed(made, RIDES_TABLE, complete_frame(schema, past))
    write_document(made / HISTORY, KnownValues.of(schema, past))
    return made


@pytest.fixture
def served(folder):
    model = model_runtime.load(folder, tag="rides:one")
    return Served(model, ServiceLimits(max_rows=500), since="2026-01-01T00:00:00+00:00")


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch):
    monkeypatch.setattr(features, "FOLLOW_SECONDS", 0.0)


@contextmanager
def worker(home, *, ledger=None):
    """One worker of the service; all have one ledger, and follow one file."""
    ledger = LedgerWriter(ledger or home / "ledger", "rides", clock=lambda: datetime.now(UTC))
    given = {"ledger": ledger, "index": None, "metrics": Metrics(), "ingested": home / "known.json"}
    try:
        yield Scenario("rides", load=lambda _: Future(), **given)
    finally:
        ledger.close()


def asked(scenario, served, *places):
    [*rows] = [SENT[place] for place in places]
    return scenario.checked(served, rows)


def test_every_worker_asks_the_model_exactly_what_it_learned_though_labels_come_a_day_late(served, tmp_path):
    trained = complete_frame(rides_schema(), FRAME)
    at, ids = FRAME["at"].to_numpy(), {}
    with worker(tmp_path) as one, worker(tmp_path) as two:
        labelled = PAST
        for place in range(PAST, ALL):
            while at[labelled] <= at[place] - 24 * STEP:
                two.feedback(served, [(ids[labelled], float(FRAME["rented"].iloc[labelled]))])
                labelled += 1
            scenario = (one, two)[place % 2]
            rows, arrays = asked(scenario, served, place)
            expected = arrays_of_frame(served.schema, trained.iloc[[place]])
            without = served.schema.model_numbers.index("sold.lag_24")  # of no request: files bring it
            for block, found in arrays.items():
                if block == "numbers":
                    found, expected[block] = (np.delete(each, without, axis=1) for each in (found, expected[block]))
                np.testing.assert_array_equal(found, expected[block])
            [ids[place]] = scenario.predict(served, rows, arrays).row_ids
    assert labelled == ALL - 24


def test_an_ingested_file_is_known_without_a_restart(served, tmp_path):
    with worker(tmp_path) as scenario:
        [before], _ = asked(scenario, served, PAST + 30)
        write_known_values(tmp_path / "known.json", KnownValues.of(served.schema, FRAME.iloc[: PAST + 20]))
        scenario.served = served
        scenario.follow()
        [after], _ = asked(scenario, served, PAST + 30)

    assert before["sold.lag_24"] is None
    assert after["sold.lag_24"] == FRAME["sold"].iloc[PAST + 6]


def test_requests_are_answered_while_another_thread_reads_the_ledger_anew(served, tmp_path, monkeypatch):
    reading, answered = threading.Event(), threading.Event()
    with worker(tmp_path) as scenario, ThreadPoolExecutor(1) as aside:
        scenario.predict(served, *asked(scenario, served, PAST))
        write_known_values(tmp_path / "known.json", KnownValues.of(served.schema, FRAME.iloc[: PAST + 20]))
        monkeypatch.setattr(features.time, "sleep", lambda _: (reading.set(), answered.wait(30)))
        scenario.served = served
        followed = aside.submit(scenario.follow)
        assert reading.wait(30)
        [meanwhile], _ = asked(scenario, served, PAST + 30)
        answered.set()
        followed.result()
        [after], _ = asked(scenario, served, PAST + 30)

    assert meanwhile["sold.lag_24"] is None
    assert after["sold.lag_24"] == FRAME["sold"].iloc[PAST + 6]


@contextmanager
def service(home, *stored):
    """What serves these models of any scenarios, which follows the ledger in a thread of its own."""
    project, names = make_project(home), [ModelTag.parse(each.tag).scenario for each in stored]
    with closing(registry_of(home)) as registry:
        for name, model in zip(names, stored, strict=True):
            described = project / "scenarios" / name / "params.yaml"
            described.parent.mkdir()
            described.write_bytes((project / "scenarios" / SCENARIO / "params.yaml").read_bytes())
            released = ModelReleased(release=make_release(model))
            registry.move(name, released, expected=None, reason="a test", actor="me")
    settings = Settings.from_environ({"RELEVE_HOME": str(home)}, cwd=project)
    served_by = {"registry": registry_of(home), "index": None, "only": names, "poll_seconds": 0.01}
    with closing(Scenarios(settings, **served_by)) as scenarios:
        scenarios.start()
        wait_until(lambda: all(scenarios.get(name).served is not None for name in names))
        yield scenarios


def ingest(home, name):
    write_known_values(known_values_path(home, name), KnownValues.of(rides_schema(), FRAME.iloc[: PAST + 20]))


def knows_what_was_ingested(scenario):
    [row], _ = asked(scenario, scenario.served, PAST + 30)
    return row["sold.lag_24"] is not None


@pytest.fixture
def followed(monkeypatch):
    """The models whose ledger was read anew, each with the thread; and those at whom that fails as nobody foresaw."""
    found, faulty, follow = [], set(), features.FeatureSource.follow

    def noted(source):
        found.append((source._tag, threading.current_thread()))
        if source._tag in faulty:
            raise RuntimeError("nobody thought of this")
        follow(source)

    monkeypatch.setattr(features.FeatureSource, "follow", noted)
    return found, faulty


def test_no_request_of_a_service_reads_a_ledger_anew(folder, tmp_path, followed):
    stored = ModelStore(tmp_path).save(folder, scenario="rides", version="one", labels={})
    with service(tmp_path, stored) as scenarios:
        scenario = scenarios.get("rides")
        before = knows_what_was_ingested(scenario)
        ingest(tmp_path, "rides")
        wait_until(lambda: knows_what_was_ingested(scenario))

    assert not before
    assert followed[0]
    assert threading.main_thread() not in {thread for _, thread in followed[0]}


def test_a_fault_of_one_scenario_stops_no_others_lags(folder, tmp_path, followed, caplog):
    names = ("ferries", "rides", "trams")
    stored = [ModelStore(tmp_path).save(folder, scenario=name, version="one", labels={}) for name in names]
    with service(tmp_path, *stored) as scenarios:
        followed[1].add("rides:one")
        for name in names:
            ingest(tmp_path, name)
        others = [scenarios.get(name) for name in ("ferries", "trams")]
        wait_until(lambda: all(map(knows_what_was_ingested, others)), seconds=20)
        wait_until(lambda: "what lags of rides rest on cannot be followed" in caplog.text)
        known = knows_what_was_ingested(scenarios.get("rides"))

    assert not known  # it answers by what it knew


def test_a_damaged_file_leaves_what_came_with_the_model(served, tmp_path, caplog):
    (tmp_path / "known.json").write_text("{")
    with worker(tmp_path) as scenario:
        [row], _ = asked(scenario, served, PAST)

    assert row["rented.lag_24"] == FRAME["rented"].iloc[PAST - 24]
    assert "lags rest on what came with rides:one" in caplog.text


def test_the_ledger_has_what_the_model_was_asked(served, tmp_path):
    with worker(tmp_path) as scenario:
        rows, arrays = asked(scenario, served, PAST, PAST + 1)
        scenario.predict(served, rows, arrays)

    kept = LedgerReader(tmp_path / "ledger").answers().features
    assert kept["rented.lag_24"].tolist() == FRAME["rented"].iloc[PAST - 24 : PAST - 22].tolist()


def test_each_shop_has_lags_of_what_was_asked_and_told_of_it(tmp_path):
    schema, past = panel_schema(), panel(60, gaps=0, missing=0)
    made = tmp_path / "panel"
    made.mkdir()
    packed(made, PANEL_TABLE, complete_frame(schema, past))
    write_document(made / HISTORY, KnownValues.of(schema, past))
    model = model_runtime.load(made, tag="rides:panel")
    served = Served(model, ServiceLimits(max_rows=500), since="2026-01-01T00:00:00+00:00")

    def row(shop, hour):
        return {"at": f"2024-02-23T{hour:02d}:00", "warmth": float(len(shop)), "sky": "rain", "shop": shop}

    with worker(tmp_path) as one, worker(tmp_path) as two:
        for shop, truth in (("north", 7.0), ("south", 8.0)):
            [first] = one.predict(served, *one.checked(served, [row(shop, 9)])).row_ids
            two.feedback(served, [(first, truth)])
        later = [row(shop, 10) for shop in ("north", "south", "west")]
        asked = [two.checked(served, [each])[0][0] for each in later]
        next_day = [each | {"at": "2024-02-24T09:00"} for each in later]
        told = [one.checked(served, [each])[0][0] for each in next_day]

    assert [each["sky.lag_2"] for each in asked] == [None] * 3  # nobody asked at eight
    assert [each["warmth.lag_1"] for each in asked] == [5.0, 5.0, None]
    assert [each["rented.lag_24"] for each in told] == [7.0, 8.0, None]


def test_a_model_that_is_let_go_is_not_kept_for_its_features(folder, tmp_path):
    model = model_runtime.load(folder, tag="rides:one")
    gone = weakref.ref(model)
    with worker(tmp_path) as scenario:
        asked(scenario, Served(model, ServiceLimits(max_rows=500), since="2026-01-01T00:00:00+00:00"), PAST)
        del model
        gc.collect()

        assert gone() is None


def test_many_answers_are_taken_in_at_once(served, tmp_path, monkeypatch):
    added, add = [], LagHistory.add
    monkeypatch.setattr(LagHistory, "add", lambda *given: (added.append(len(given[1].ticks)), add(*given))[1])
    with worker(tmp_path) as one, worker(tmp_path) as two:
        for place in range(PAST, PAST + 30):
            one.predict(served, *asked(one, served, place))
        added.clear()
        [row], _ = asked(two, served, PAST + 30)

    assert 30 in added
    assert 1 not in added
    assert row["at.day_sin"] is not None


def test_a_row_without_its_time_is_refused(served, tmp_path):
    with worker(tmp_path) as scenario, pytest.raises(Refused, match="row 0: at is missing; what is known of the time"):
        scenario.checked(served, [{"warmth": 1.0, "sky": None}])


def test_what_is_expected_of_a_caller_names_no_feature_that_is_added(served):
    described, example = row_schema(served.schema), example_row(served.schema)

    assert described["required"] == [*example] == ["warmth", "at", "sky"]
    assert "the service adds them" in described["description"]


def test_rows_stay_as_they_are_where_a_model_has_no_such_features(folder, served, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    packed(plain, RIDES_TABLE | {"features": None}, FRAME)
    other = Served(model_runtime.load(plain, tag="rides:plain"), served.limits, since=served.since)
    with worker(tmp_path) as scenario:
        rows = [SENT[0]]

        assert scenario.checked(other, rows)[0] is rows


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A model that knows other features."""
    made, table = tmp_path_factory.mktemp("models") / "rides", RIDES_TABLE | {"features": OTHER}
    made.mkdir()
    packed(made, table, complete_frame(rides_schema(features=OTHER), FRAME.iloc[:PAST]))
    write_document(made / HISTORY, KnownValues.of(rides_schema(features=OTHER), FRAME.iloc[:PAST]))
    return made


def test_a_challenger_that_knows_other_features_is_asked_with_those(served, other, tmp_path):
    challenger = Served(model_runtime.load(other, tag="rides:two"), served.limits, since=served.since)
    trial = LiveTrial(RunningArms(7, served.since, make_arms_started(), only_shadow=True), make_params().arms)
    trial.loaded(challenger, 1)
    with worker(tmp_path) as scenario:
        rows, arrays = asked(scenario, served, PAST)
        by, with_own, answered = trial.predict(served, rows, arrays, checked=scenario.checked)
        own, expected = asked(scenario, challenger, PAST)

    assert (by, with_own) == (challenger, own)
    assert answered.labels == challenger.model.answer(expected).labels


def test_the_ledger_has_what_a_challenger_was_asked(served, other, tmp_path):
    challenger = Served(
        model_runtime.load(other, tag="rides:two"), served.limits, since=served.since, arm=Arm.CHALLENGER
    )
    started = make_arms_started(served.model.tag).model_copy(update={"mode": ArmMode.AB, "share": 1.0})
    with worker(tmp_path) as scenario:
        scenario.trial = LiveTrial(RunningArms(7, served.since, started, only_shadow=False), make_params().arms)
        scenario.trial.loaded(challenger, 1)
        rows, arrays = asked(scenario, served, PAST)
        answered = scenario.predict(served, rows, arrays, key="anybody")
        [own], _ = asked(scenario, challenger, PAST)

    kept = LedgerReader(tmp_path / "ledger").answers().features
    assert answered.served is challenger
    assert kept["warmth.lag_1"].tolist() == [own["warmth.lag_1"]]


@pytest.fixture
def take_part(folder, other, tmp_path):
    """A service of rides, and what has a challenger take part that gets half of the requests."""
    versions = {"one": folder, "two": other}
    champion, challenger = (
        ModelStore(tmp_path).save(path, scenario="rides", version=version, labels={})
        for version, path in versions.items()
    )

    def start():
        started = make_arms_started(champion.tag, mode=ArmMode.AB, share=0.5)
        started = started.model_copy(update={"challenger": make_release(challenger)})
        with closing(registry_of(tmp_path)) as registry:
            registry.start_arms("rides", started, expected=None, reason="a test", actor="me")

    with service(tmp_path, champion) as scenarios:
        yield scenarios.get("rides"), start


def test_the_ledger_is_read_for_a_challenger_before_it_answers(take_part, followed):
    scenario, start = take_part
    start()
    wait_until(lambda: scenario.trial is not None and scenario.trial.challenger is not None, seconds=20)

    assert "rides:two" in {tag for tag, _ in followed[0]}


def test_where_the_ledger_cannot_be_read_for_a_challenger_the_champion_answers(take_part, followed, caplog):
    scenario, start = take_part
    followed[1].add("rides:two")
    start()
    wait_until(lambda: scenario.trial is not None and scenario.trial.unusable, seconds=20)

    question = asked(scenario, scenario.served, PAST)
    answered = [scenario.predict(scenario.served, *question, key=str(key)) for key in range(8)]

    assert {each.model for each in answered} == {"rides:one"}
    assert caplog.text.count("the challenger rides:two cannot be loaded: nobody thought of this") == 1


def test_a_shadow_that_knows_other_features_is_asked_with_those(served, folder, other, tmp_path):
    store = ModelStore(tmp_path)
    tags = [
        store.save(path, scenario="rides", version=version, labels={})
        for path, version in ((folder, "one"), (other, "two"))
    ]
    champion, challenger = (Served(store.load(each.tag), served.limits, since=served.since) for each in tags)
    started = make_arms_started(tags[0].tag).model_copy(update={"challenger": make_release(tags[1])})
    running = RunningArms(7, served.since, started, only_shadow=True)
    shadow = Shadow(tmp_path, "rides", running, make_params().arms, clock=lambda: datetime.now(UTC))
    with closing(shadow), worker(tmp_path, ledger=tmp_path / "ledger" / "rides") as scenario:
        scenario.predict(champion, *asked(scenario, champion, PAST))
        shadow.look()
        shadow.answer(1)
        _, expected = asked(scenario, challenger, PAST)

    [line] = LedgerReader(tmp_path / "ledger" / "rides").shadows()
    assert (line.labels, line.error) == (challenger.model.answer(expected).labels, "")
