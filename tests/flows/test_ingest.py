from pathlib import Path

from flows.ingest import needed_of
from tasks.ingestion.ingest import Ingestion, Refusal


def test_a_person_hears_of_refused_files_and_of_lags_that_reach_too_far():
    refusal = Refusal("a.csv", "a.csv is empty", Path("a.csv"))

    refusals, lags = needed_of(Ingestion((), (), (refusal,), Path("refused"), short_lags="too far"))

    assert "a.csv is empty" in refusals
    assert lags == "too far"
    assert needed_of(Ingestion((), (), ())) == []
