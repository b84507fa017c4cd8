"""The figures at the head of a scenario's page: what serves, and what the newest look saw, with whose that was."""

from collections.abc import Sequence
from datetime import datetime

from releve.core.formatting import format_score
from releve.reporting.blocks import Tile, TileRow
from releve.reporting.page.evidence import PageEvidence
from releve.reporting.page.history import ColumnLook, Look, interval_of, to_the_minute, told_score

UNKNOWN = "not known yet"


def figures(evidence: PageEvidence) -> TileRow:
    """Side by side: what serves now may be younger than what was last seen."""
    return TileRow((_champion(evidence), _newest_quality(evidence), _newest_drift(evidence), _last_decision(evidence)))


def whose(look: Look, evidence: PageEvidence) -> str:
    """Which model a look was at, where it was before the one that serves was released; "" where it was at that one."""
    model = _version(look.model) or "the model before"
    if not evidence.release:
        return f"of {model}, which serves no more"
    is_younger = evidence.since and datetime.fromisoformat(look.at) < datetime.fromisoformat(evidence.since)
    if look.model == evidence.release.model and not is_younger:
        return ""
    return f"of {model}, before this release; nobody has looked since"


def told_look(look: Look, evidence: PageEvidence) -> str:
    """When it was, and whose where the model that serves is another one."""
    of_whom = whose(look, evidence)
    return f"{to_the_minute(look.at)}{f' ({of_whom})' if of_whom else ''}"


def _champion(evidence: PageEvidence) -> Tile:
    if not evidence.release:
        return Tile("serves now", "nothing")
    return Tile("serves now", _version(evidence.release.model), f"since {to_the_minute(evidence.since)}")


def _newest_quality(evidence: PageEvidence) -> Tile:
    """As the newest look knew it."""
    name = "realised quality"
    if not evidence.looks:
        return Tile(name, UNKNOWN, _last_known(evidence, "nobody has looked"))
    newest = evidence.looks[-1]
    said, score = newest.quality, interval_of(newest.quality.get("score"))
    if not score:
        return _of(newest, evidence, name, UNKNOWN, _last_known(evidence, "too few new labels"))
    note = f"{said.get('metric', 'accuracy')} {told_score(score)}, {format_score(said['expected'])} was expected"
    return _of(newest, evidence, name, said["state"], note)


def _last_known(evidence: PageEvidence, why: str) -> str:
    """What the newest window with labels enough was worth, and of which model where another one serves."""
    scored = [window for window in evidence.windows if window.score]
    score = scored[-1].score if scored else None
    if score is None:
        return "too few labels came back" if evidence.looks else ""
    newest = scored[-1]
    serves = evidence.release.model if evidence.release else ""
    of_whom = "" if newest.model == serves else f" (of {_version(newest.model)})"
    return f"{why}; {told_score(score)}{of_whom} was the last known, {to_the_minute(newest.last_at)}"


def _newest_drift(evidence: PageEvidence) -> Tile:
    if not evidence.looks:
        return Tile("drift", UNKNOWN)
    newest = evidence.looks[-1]
    found = _alarms(newest.columns) if newest.columns else "no column was compared"
    return _of(newest, evidence, "drift", newest.state, f"{found}, {to_the_minute(newest.at)}")


def _alarms(columns: Sequence[ColumnLook]) -> str:
    """Counted as the verdict counts: the champion's answers are no column of the table."""
    features = [column for column in columns if not column.of_answers]
    answers = any(column.alarm for column in columns if column.of_answers)
    found = f"{sum(column.alarm for column in features)} of {len(features)} columns in alarm"
    return f"{found}, and the champion's answers" if answers else found


def _last_decision(evidence: PageEvidence) -> Tile:
    if not evidence.looks:
        return Tile("last decision", UNKNOWN)
    newest = evidence.looks[-1]
    decided = "retrain" if newest.retrain else "wait"
    return _of(newest, evidence, "last decision", decided, newest.reasons[0] if newest.reasons else "")


def _of(look: Look, evidence: PageEvidence, name: str, value: str, note: str) -> Tile:
    """A figure of that look, beginning with whose it is where the model that serves is another one."""
    return Tile(name, value, ": ".join(filter(None, (whose(look, evidence), note))))


def _version(model: str) -> str:
    return model.partition(":")[2]
