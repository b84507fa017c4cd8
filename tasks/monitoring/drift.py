"""Has the table changed? The rules' verdict, and Evidently's report on it beside verdict.json."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.adapters.drift_report import ReportSubject, drift_report
from releve.adapters.files import write_bytes
from releve.core.params import Monitor
from releve.domain.drift import verdict as drift
from releve.domain.drift.data_quality import MAX_MISSING_RISE
from releve.domain.drift.verdict import Predictions, Verdict
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

PAGE = "report.html"
PAGE_DAYS = 7  # without an alarm the page for people is made this often
STAMP = "%Y%m%dT%H%M%S.%fZ"  # what a look's folder is called


def look_for_drift(
    reference: "pd.DataFrame",
    current: "pd.DataFrame",
    schema: Schema,
    params: Monitor,
    *,
    subject: ReportSubject,
    max_missing_rise: float = MAX_MISSING_RISE,
    before: str,
    folder: Path,
    predictions: Predictions | None = None,
    workspace: Path | None = None,
) -> Verdict:
    """Compare, and leave evidently.json in `folder`; report.html too at an alarm, or when the newest is old.

    `folder` is named by the time of the look (STAMP) and lies beside those of earlier looks. `before`: see
    `state_before`. Nothing is written where nothing could be compared.
    """
    look = drift.look(
        reference,
        current,
        schema,
        params,
        max_missing_rise=max_missing_rise,
        before=before,
        predictions=predictions,
    )
    if look.verdict.columns:
        page = look.verdict.state in drift.ALARMS or _page_is_due(folder)
        report = drift_report(look, params, subject, page=page, workspace=workspace if params.workspace else None)
        write_bytes(folder / "evidently.json", report.json.encode())
        if report.html:
            write_bytes(folder / PAGE, report.html.encode())
    return look.verdict


def state_before(looks: Iterable[Mapping[str, Any]], *, model: str, first_at: str | None) -> str:
    """The drift state of the newest earlier look at other rows: two looks at one window are one alarm.

    `looks`: verdict.json payloads, the oldest first. Only those of `model` count, whose windows ended before
    `first_at` (ISO 8601, UTC), the first row of the window that is looked at now.
    """
    for look in reversed(list(looks)):
        last_at = (look.get("window") or {}).get("last_at")
        if look["model"] == model and last_at and first_at and last_at < first_at:
            return str(look["drift"]["state"])
    return drift.NO_DRIFT


def _page_is_due(folder: Path) -> bool:
    pages = [_time_of(page.parent.name) for page in folder.parent.glob(f"*/{PAGE}")]
    newest = max((time for time in pages if time), default=None)
    now = _time_of(folder.name)
    return newest is None or now is None or now - newest >= timedelta(days=PAGE_DAYS)


def _time_of(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, STAMP)
    except ValueError:
        return None
