import shutil

import pytest

from releve.adapters.files import write_bytes
from releve.adapters.git_dvc.scenario_branch import git
from releve.core.errors import NotFound
from releve.domain.registry.chain import ALERTED, ARCHIVED, MONITORED, WITHDRAWN
from releve.domain.trigger.monitoring_run import MonitoringRun
from tasks.archive import archive_scenario, report
from tasks.history import events_of
from tasks.ingestion.ingest import ingest
from tasks.monitoring.alert import alert
from tests.page_histories import drift, monitored_event
from tests.tables import SHOP, shop_rows

pytestmark = pytest.mark.slow


def test_nothing_serves_afterwards_and_the_history_says_so(released):
    archive_scenario(released.settings, SHOP, reason="a demo", actor="Ada")

    assert released.registry.current(SHOP) is None
    events = released.registry.events(SHOP)[-2:]
    assert [(event.kind, event.reason, event.actor) for event in events] == [
        (WITHDRAWN, "a demo", "Ada"),
        (ARCHIVED, "a demo", "Ada"),
    ]
    assert released.registry.verify(SHOP) == len(released.registry.events(SHOP))


def test_rows_and_branch_are_set_aside_and_not_deleted(released):
    released.answer(shop_rows(3), predicted=["no"] * 3)
    tip = released.branch.tip()

    archive = archive_scenario(released.settings, SHOP, reason="a demo").archive

    assert released.branch.tip() is None
    archived = git(released.root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/releve/archive").split()
    assert archived == [tip, f"refs/releve/archive/{SHOP}/{archive.name.removeprefix('shop-')}"]
    assert sorted(path.name for path in archive.iterdir()) == ["incoming", "ingested", "ledger"]
    assert not released.state.ledger.exists()


def test_a_archived_scenario_starts_over_with_the_same_files(released):
    archive = archive_scenario(released.settings, SHOP, reason="a demo").archive
    released.receive_text((archive / "ingested" / "day-2.csv").read_text(), "day-2.csv")

    found = ingest(released.settings, SHOP)

    assert [batch.batch[:8] for batch in found.batches] == ["00000001"]
    assert len(events_of(released.registry, SHOP, "ingested")) == 1
    assert len(released.registry.events(SHOP, kinds=["ingested"])) == 3


def test_what_was_shown_of_a_archived_scenario_is_set_aside_too(fresh):
    write_bytes(fresh.state.page, b"a page")
    write_bytes(fresh.state.backtest / "backtest.json", b"{}")

    found = archive_scenario(fresh.settings, SHOP, reason="a demo")

    assert {"backtest", "shop.html"} <= set(found.moved)
    assert (found.archive / "shop.html").read_bytes() == b"a page"
    assert (found.archive / "backtest" / "backtest.json").is_file()
    assert not fresh.state.page.exists()


def test_a_scenario_that_never_ran_can_be_archived_too(fresh):
    found = archive_scenario(fresh.settings, SHOP, reason="a demo")

    assert (found.archive.exists(), found.moved, found.branch, found.withdrawn) == (False, (), "", "")
    assert [event.kind for event in fresh.registry.events(SHOP)] == [ARCHIVED]


def test_a_scenario_whose_folder_is_gone_is_archived_by_its_name_and_what_was_done_is_told(released):
    shutil.rmtree(released.files.folder)
    released.receive(shop_rows(3))
    model = released.registry.current(SHOP).release.model

    found = archive_scenario(released.settings, SHOP, reason="a demo")

    told = report(found, released.settings, SHOP).splitlines()
    assert not released.state.incoming.exists()
    assert told[:4] == [
        "shop, whose folder is gone, is archived",
        f"  serves no longer: {model}",
        f"  set aside in {found.archive}: incoming, ingested",
        f"  its branch is kept as refs/releve/archive/shop/{found.archive.name.removeprefix('shop-')}",
    ]
    assert told[4].startswith("  kept as they were: its model versions")


@pytest.mark.parametrize("folder", ["there", "gone"])
def test_the_end_of_an_alarm_that_stood_is_told(folder, fresh):
    payload = {**monitored_event(drift=drift("drift")).payload, "scenario": SHOP}
    fresh.registry.append(SHOP, MonitoringRun(**payload), reason="", actor="a test")
    alert(fresh.settings, SHOP)
    if folder == "gone":
        shutil.rmtree(fresh.files.folder)

    found = archive_scenario(fresh.settings, SHOP, reason="a demo")

    (line,) = found.alerts
    assert line.startswith("shop: started over, which ends the alarm of drift; the alarm stood since ")
    assert f"  alert: {line}" in report(found, fresh.settings, SHOP).splitlines()
    assert [event.kind for event in fresh.registry.events(SHOP)] == [MONITORED, ALERTED, ARCHIVED, ALERTED]


def test_a_file_that_waits_is_enough_to_be_known(fresh):
    shutil.rmtree(fresh.files.folder)
    fresh.receive(shop_rows(3))

    assert archive_scenario(fresh.settings, SHOP, reason="a demo").moved == ("incoming",)


def test_an_unknown_scenario_is_told(fresh):
    with pytest.raises(NotFound, match="there are: shop"):
        archive_scenario(fresh.settings, "other", reason="a demo")
