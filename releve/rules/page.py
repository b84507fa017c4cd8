"""One page per scenario: what serves, how good it is, what was seen and decided, and what is not known yet."""

from collections.abc import Callable

from releve.rules.page_decisions import costs, decisions
from releve.rules.page_drift import drift
from releve.rules.page_evidence import PageEvidence
from releve.rules.page_history import interval_of, to_the_minute, told_score
from releve.rules.page_quality import estimates, label_delay, quality
from releve.rules.page_replay import replay
from releve.rules.pages.blocks import Block, Facts, Figure, Figures, Page, Section, Words
from releve.rules.scores import told

UNKNOWN = "not known yet"
SECTIONS: dict[str, Callable[[PageEvidence], list[Block]]] = {
    "Quality over time": quality,
    "Estimates while labels are late": estimates,
    "How late labels come": label_delay,
    "Drift": drift,
    "Decisions, newest first": decisions,
    "What it cost": costs,
    "Replay: what other policies would have been worth": replay,
}


def build(evidence: PageEvidence) -> Page:
    """The page's words and figures; `pages.drawing` writes it."""
    sections = tuple(Section(title, tuple(write(evidence))) for title, write in SECTIONS.items())
    head = Section("", (_figures(evidence), *_unknown(evidence)))
    serving = Section("What serves now", tuple(_serving(evidence)))
    summary = f"As of {to_the_minute(evidence.made_at)} UTC; all times are UTC."
    return Page(f"{evidence.scenario}: is the model still good?", summary, (head, serving, *sections))


def _figures(evidence: PageEvidence) -> Figures:
    return Figures((_champion(evidence), _newest_quality(evidence), _newest_drift(evidence), _last_decision(evidence)))


def _champion(evidence: PageEvidence) -> Figure:
    if not evidence.release:
        return Figure("serves now", "nothing")
    version = evidence.release.model.partition(":")[2]
    return Figure("serves now", version, f"since {to_the_minute(evidence.since)}")


def _newest_quality(evidence: PageEvidence) -> Figure:
    """As the newest look knew it."""
    said = evidence.looks[-1].quality if evidence.looks else {}
    score = interval_of(said.get("score"))
    if not score:
        return Figure("realised quality", UNKNOWN, _last_known(evidence))
    note = f"{said.get('metric', 'accuracy')} {told_score(score)}, {told(said['promise'])} was promised"
    return Figure("realised quality", said["state"], note)


def _last_known(evidence: PageEvidence) -> str:
    """What the newest window with labels enough was worth."""
    scored = [window for window in evidence.windows if window.score]
    if not scored or scored[-1].score is None:
        return "too few labels came back" if evidence.looks else ""
    why = "too few new labels" if evidence.looks else "nobody has looked"
    return f"{why}; {told_score(scored[-1].score)} was the last known, {to_the_minute(scored[-1].last_at)}"


def _newest_drift(evidence: PageEvidence) -> Figure:
    if not evidence.looks:
        return Figure("drift", UNKNOWN)
    newest = evidence.looks[-1]
    if not newest.columns:
        return Figure("drift", newest.state, f"no column was compared, {to_the_minute(newest.at)}")
    alarms = sum(column.alarm for column in newest.columns)
    return Figure(
        "drift", newest.state, f"{alarms} of {len(newest.columns)} columns in alarm, {to_the_minute(newest.at)}"
    )


def _last_decision(evidence: PageEvidence) -> Figure:
    if not evidence.looks:
        return Figure("last decision", UNKNOWN)
    newest = evidence.looks[-1]
    return Figure("last decision", "retrain" if newest.retrain else "wait", newest.reasons[0] if newest.reasons else "")


def _unknown(evidence: PageEvidence) -> list[Block]:
    """What a reader could miss is said at the head, in one list."""
    unknown = {
        "nothing serves": evidence.release is None,
        "drift, as nobody has looked": not evidence.looks,
        "realised quality, as no window has labels enough": not any(one.score for one in evidence.windows),
        "quality without labels, as no look has estimated it": not any(
            look.estimate.get("score") for look in evidence.looks
        ),
        "what other policies would have been worth, as there is no replay": not evidence.replay,
    }
    said = [sentence for sentence, is_unknown in unknown.items() if is_unknown]
    return [Words((f"Not known yet: {'; '.join(said)}.",))] if said else []


def _serving(evidence: PageEvidence) -> list[Block]:
    release = evidence.release
    if not release:
        return [
            Words(("Nothing serves. The retrain flow makes a challenger, and releases it when the gate accepts it.",))
        ]
    promise = evidence.promises.get(release.model)
    lines = [
        ("model version", release.model),
        ("since", to_the_minute(evidence.since)),
        ("promise", f"{release.metric} {told_score(promise.interval)} on {promise.rows} rows" if promise else ""),
        ("learned from", f"{release.rows} labelled rows, data version {release.data_version}"),
        ("index version", f"{release.index}, {release.index_rows} rows"),
        ("git revision", release.revision),
    ]
    age = evidence.looks[-1].age if evidence.looks else {}
    lines += [("age", "; ".join([str(age.get("state", "")), *age.get("reasons", ())]))] if age else []
    return [Facts(tuple((name, value) for name, value in lines if value))]
