"""The running service's requests, at a collector."""

from pathlib import Path

import httpx
import pytest

from tests.factories import make_project, make_row, make_stored_model
from tests.receivers import Collector, receiving
from tests.serving.conftest import release_first
from tests.serving.process import serving, wait_until

pytestmark = pytest.mark.slow


def test_requests_are_spans_and_times_and_their_rows_stay_here(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    secret = 4.7113

    with receiving(Collector()) as collector:
        with serving(tmp_path, project, **collector.environ) as address:
            wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200)
            answer = httpx.post(f"{address}/predict", json={"rows": [make_row(length=secret)]})
            bad = httpx.post(f"{address}/predict", json={"rows": [make_row(colour="a-secret")], "spare": secret})
            wait_until(lambda: len([each for each in collector.spans if each.name == "POST /predict"]) == 2)

        assert (answer.status_code, bad.status_code) == (200, 400)
        first, second = (each for each in collector.spans if each.name == "POST /predict")
        assert first.program == "releve-service"
        assert first.attributes["releve.request_id"] == answer.json()["request_id"]
        assert [each.attributes["http.response.status_code"] for each in (first, second)] == [200, 400]
        points = collector.figures["http.server.request.duration"].histogram.data_points  # sent at the end
        assert sum(each.count for each in points) >= 2
        assert b"4.7113" not in collector.content and b"a-secret" not in collector.content
