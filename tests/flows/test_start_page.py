"""The start page as operators see it in Prefect, from a real server."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from releve.core.settings import Settings
from tests.factories import make_project
from tests.repositories import commit

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environ({}, cwd=make_project(tmp_path))


def update(settings: Settings) -> Any:
    from prefect import flow

    return flow(import_module("flows.shared.publish").update_start_page)(settings, return_state=True)


def versions() -> list[Any]:
    """All that were made of the artifact, the newest first."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    with get_client(sync_client=True) as client:
        asked = ArtifactFilter(key=ArtifactFilterKey(any_=["start"]))
        return client.read_artifacts(artifact_filter=asked, sort=ArtifactSort.CREATED_DESC)


def test_prefect_shows_what_the_page_shows_and_a_new_version_where_something_changed(settings: Settings) -> None:
    of_other_tests = len(versions())

    assert update(settings).is_completed()

    first, *others = versions()
    assert len(others) == of_other_tests
    assert first.description.startswith("1 of 1 scenario needs a person: 1 x nothing serves. The newest: flowers")
    assert "make retrain SCENARIO=flowers" in first.data
    assert "make retrain SCENARIO=flowers" in (settings.home / "pages" / "index.html").read_text()

    update(settings)
    assert len(versions()) == of_other_tests + 1

    refused = settings.home / "refused" / "flowers"
    refused.mkdir(parents=True)
    (refused / "march.csv").touch()
    update(settings)
    assert "march.csv" in versions()[0].data


def test_a_start_page_that_cannot_be_written_is_reported_and_fails_nothing(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (settings.project / "params.yaml").unlink()
    commit(settings.project, "a mistake")

    assert update(settings).is_completed()
    assert "the start page was not written: " in capsys.readouterr().out
