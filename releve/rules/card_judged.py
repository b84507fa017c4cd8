"""What a model card says of how good a model version is, and who let it in."""

from collections.abc import Mapping
from datetime import date

from releve.rules.card import (
    MISSING,
    Bar,
    Block,
    Evidence,
    Facts,
    Intervals,
    Reliability,
    Table,
    Words,
    figure,
    interval,
    nothing,
)

SHOWN_COLUMNS = 40  # drifted ones that a table names


def quality(evidence: Evidence) -> list[Block]:
    evaluation = evidence.challenge.get("evaluation", {})
    if "challenger" not in evaluation:
        return [nothing()]
    own, metric = evaluation["challenger"], evaluation.get("metric", "accuracy")
    confidence = f"{evaluation.get('confidence', 0.95):.0%}"
    figures = tuple((name, figure(value)) for name, value in own.get("metrics", {}).items())
    lines = ((f"{metric}, the gate's metric", f"{interval(own, key='score')} at {confidence} confidence"), *figures)
    against = evaluation.get("against", {})
    bars = tuple(_bar(f"over the {name}", other["gain"]) for name, other in against.items())
    heads = ("compared with", metric, f"gain [{confidence} interval]", "p", "must be beaten")
    rows = tuple(
        (
            name,
            figure(other.get("score")),
            interval(other["gain"]),
            figure(other.get("p")),
            "yes" if other.get("must_beat", True) else "no",
        )
        for name, other in against.items()
    )
    first = [] if "champion" in against else [Words(("There was no champion to compare with: this is a first one.",))]
    return [Facts(lines), *first, Table(heads, rows), Intervals("Gain: right of the line, this model is better", bars)]


def calibration(evidence: Evidence) -> list[Block]:
    if evidence.description.get("task") == "regression":
        return [Words(("Numbers carry no certainty, so there is nothing to calibrate.",))]
    found = evidence.challenge.get("evaluation", {}).get("challenger", {}).get("calibration", {})
    if not found:
        return [nothing()]
    bins = found["bins"]
    rows = tuple(
        (f"{b['from']:.1f} to {b['to']:.1f}", str(b["rows"]), figure(b["certainty"]), figure(b["right"])) for b in bins
    )
    return [
        Facts((("expected calibration error", figure(found["error"])),)),
        Table(("certainty", "rows", "mean certainty", "share right"), rows),
        Reliability(tuple((b["certainty"], b["right"], b["rows"]) for b in bins)),
    ]


def slices(evidence: Evidence) -> list[Block]:
    if "evaluation" not in evidence.challenge:
        return [nothing()]
    slices = evidence.challenge["evaluation"].get("slices", [])
    if not slices:
        return [Words(("No slices are named in params.yaml (gate.slices).",))]
    rows = tuple(
        (
            f"{s['column']} = {s['value']}",
            str(s["rows"]),
            figure(s["challenger"]),
            figure(s["champion"]),
            interval(s["gain"]) if s.get("gain") else "",
        )
        for s in slices
    )
    bars = tuple(_bar(f"{s['column']} = {s['value']}", s["gain"]) for s in slices if s.get("gain"))
    picture = [Intervals("Gain over the champion, slice by slice", bars)] if bars else []
    return [Table(("slice", "rows", "this model", "champion", "gain"), rows), *picture]


def fairness(evidence: Evidence) -> list[Block]:
    if "evaluation" not in evidence.challenge:
        return [nothing()]
    evaluation = evidence.challenge["evaluation"]
    found, unknown = evaluation.get("fairness", []), evaluation.get("unknown_groups", [])
    if not found and not unknown:
        return [Words(("No protected columns are named in params.yaml (gate.protected).",))]
    rows = tuple(
        (f["attribute"], f["metric"].replace("_", " "), figure(f["challenger"]), figure(f["champion"])) for f in found
    )
    told = (
        [Words((f"Too few groups were large enough to compare: {', '.join(map(str, unknown))}.",))] if unknown else []
    )
    return [Table(("protected column", "difference in", "this model", "champion"), rows), *told]


def drift(evidence: Evidence) -> list[Block]:
    if not evidence.drift:
        return [Words((f"{MISSING}: nobody looked at the champion's answers before this model was judged.",))]
    drift = evidence.drift["drift"]
    facts = {
        "looked at": evidence.drift.get("at"),
        "champion then": evidence.drift.get("model"),
        "verdict": drift.get("state"),
        "rows": drift.get("rows"),
    }
    drifted = [c for c in drift.get("columns", []) if c.get("drifted")][:SHOWN_COLUMNS]
    rows = tuple(
        (c["name"], c["method"], figure(c["change"]["effect"]), figure(c["change"]["p_value"])) for c in drifted
    )
    table = [Table(("drifted column", "test", "effect", "p"), rows)] if rows else []
    return [Facts(facts(facts)), Words(tuple(drift.get("reasons", ())), points=True), *table]


def gate(evidence: Evidence) -> list[Block]:
    challenge = evidence.challenge
    if "promote" not in challenge:
        return [nothing()]
    verdict = "promote" if challenge["promote"] else "keep the champion"
    facts = {
        "decision": verdict,
        "judged against": challenge.get("champion") or "no champion",
        "at": evidence.judged.get("at"),
        "started by": evidence.judged.get("actor"),
        "because": evidence.judged.get("reason"),
    }
    return [Facts(facts(facts)), Words(tuple(challenge.get("reasons", ())), points=True), *_overrides(evidence)]


def _overrides(evidence: Evidence) -> list[Block]:
    overrides = evidence.challenge.get("overrides", ())
    if not overrides:
        return [Words(("No floor was overridden.",))]
    rows = tuple(
        (
            o["floor"],
            o["by"],
            o["reason"],
            o["until"],
            "in force" if date.fromisoformat(o["until"]) >= evidence.today else "EXPIRED",
        )
        for o in overrides
    )
    return [Table(("overridden floor", "by", "reason", "until", "today"), rows)]


def _bar(name: str, gain: Mapping[str, float]) -> Bar:
    return Bar(name, gain["value"], gain["low"], gain["high"])
