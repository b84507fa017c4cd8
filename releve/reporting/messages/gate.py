"""Messages about what the gate decided and why, and what serves, for logs, histories and the service."""

from collections.abc import Sequence
from shlex import quote

from releve.core.formatting import counted, format_score
from releve.core.params import GateOverride, Params
from releve.domain.evaluation.baselines import constant_name, describe_baseline
from releve.domain.evaluation.evaluation import (
    MOST_SHIFT,
    AlterationEffect,
    Evaluation,
    GroupDifference,
    Opponent,
    Sanity,
    SliceComparison,
    TooGood,
)
from releve.domain.evaluation.intervals import format_interval
from releve.domain.evaluation.slices import MIN_SLICE_ROWS
from releve.domain.gate.gate import (
    LEAST_MOVE,
    FailedCheck,
    GateCheck,
    GateDecision,
    GateInputs,
    Remark,
    allowed_slice_loss,
    tolerated_harm,
)
from releve.domain.registry.chain import (
    APPROVAL_EXPIRED,
    APPROVAL_REFUSED,
    APPROVAL_REQUESTED,
    APPROVAL_VOIDED,
    ARCHIVED,
    CHALLENGED,
    RELEASED,
    ROLLED_BACK,
    WITHDRAWN,
    Event,
)
from releve.domain.registry.events import Challenger, ModelRebuilt, RebuildPurpose
from releve.domain.registry.lifecycle import ModelVersionStatus, StatusChange
from releve.domain.registry.origin import Basis, Origin
from releve.domain.registry.release import CHALLENGER, CHAMPION, PREVIOUS, REFUSED, RETIRED
from releve.reporting.messages.brought import CHAMPION_MAY_KNOW
from releve.reporting.messages.money import describe_decision_change, describe_idle_rules, describe_money

NOT_SERVED = "no service that runs here serves it (make up)"
HISTORY = "make history SCENARIO={scenario} lists every reason"
BY_GATE = "accepted by the gate"
STATUS_CHANGES = {  # what an event means for a version that takes this state: a successor's gain is not its own
    (RELEASED, CHAMPION): "{why}",
    (RELEASED, PREVIOUS): "replaced by {model}",
    (RELEASED, RETIRED): "retired when {model} was released",
    (ROLLED_BACK, CHAMPION): "brought back by a rollback from {left}: {why}",
    (ROLLED_BACK, PREVIOUS): "rolled back to {model}: {why}",
    (ROLLED_BACK, RETIRED): "retired when {model} was brought back",
    (WITHDRAWN, RETIRED): "withdrawn: {why}",
    (ARCHIVED, REFUSED): "the scenario was started over: {why}",
    (APPROVAL_REQUESTED, CHALLENGER): "waits for people: {why}",
    (APPROVAL_REFUSED, REFUSED): "refused by {by}: {why}",
    (APPROVAL_VOIDED, REFUSED): "not released, as {why}",
    (APPROVAL_EXPIRED, REFUSED): "not released, as {why}",
}


def explain(decision: GateDecision, inputs: GateInputs, params: Params) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write why the gate decided so, the main reason first; and what else is worth knowing."""

    def override_name(one: GateOverride) -> str:
        return f"the override of the {one.floor} floor by {one.by}"

    reasons, overridden = [], []
    for failed in decision.failed:
        reason = _failed_check(failed, inputs, params)
        if one := failed.override:
            overridden.append(f"{override_name(one)} until {one.until}: {one.reason} ({reason})")
        else:
            reasons.append(reason + "".join(f"; {override_name(one)} expired on {one.until}" for one in failed.expired))
    remarks = [_remark(*each, inputs, params) for each in decision.remarks]
    if money := inputs.evaluation.money:
        remarks += [describe_money(money), *describe_idle_rules(money)]
    if not decision.promote:
        return tuple(reasons), (*overridden, *remarks)
    held = [_held(name, inputs, params) for name in decision.held_against]
    change = [describe_decision_change(inputs.decision, inputs.evaluation.money)] if inputs.decision else []
    alone = inputs.decision is not None and inputs.decision.alone
    return (*change, *([] if alone else held), *overridden), tuple(remarks)


def _failed_check(failed: FailedCheck, inputs: GateInputs, params: Params) -> str:
    evaluation, of = inputs.evaluation, failed.of
    if failed.check == GateCheck.DEARER and evaluation.money and inputs.decision:
        other = evaluation.money.constant if of == Opponent.SAME_DECISION else inputs.decision.served
        than = f"the {of}" if of == Opponent.SAME_DECISION else "those that serve, by the same answers"
        gain = format_interval(other.gain) if other else ""
        return f"the changed decisions are shown to cost more than {than}: a gain of {gain} a row at today's prices"
    if isinstance(of, Opponent):
        if failed.check == GateCheck.NOT_COMPARED:
            return f"there is no comparison with the {of}; evaluate again"
        if failed.check == GateCheck.INCONCLUSIVE:
            follows = "live labels may show it" if params.gate.inconclusive == "shadow" else "the champion stays"
            gain = _gain(of, inputs, params)
            if inputs.must_gain:
                return f"not shown to be better than the {of}: {gain}; a brought model has to be, {follows}"
            return f"not shown to be better than the {of}: {gain}; {follows} (params.yaml: gate.inconclusive)"
        harm = tolerated_harm(of, inputs, params)
        limit = f"; a loss of up to {format_score(harm)} is tolerated (params.yaml: gate.margin)" if harm else ""
        reached = "" if of == Opponent.CHAMPION else ", which the champion reaches"
        return f"shown to be worse than the {of}{reached}: {_gain(of, inputs, params)}{limit}"
    if isinstance(of, SliceComparison):
        where = f"where {of.name} ({of.rows} rows)"
        if of.gain is None or of.champion is None:
            return (
                f"{where} {evaluation.metric} is not defined, so that nobody knows whether it is worse than the "
                "champion (params.yaml: gate.slices, gate.metric)"
            )
        return (
            f"{where} it is worse than the champion, whose score is {format_score(of.champion)}: a gain of "
            f"{format_interval(of.gain)}; a loss of at most {allowed_slice_loss(of, inputs, params):.3g} is allowed "
            "(params.yaml: gate.max_slice_loss)"
        )
    if isinstance(of, GroupDifference):
        return (
            f"{_difference(of, params)}: even the low end of its interval is above the "
            f"{params.gate.max_unfairness:g} that is allowed (params.yaml: gate.max_unfairness)"
        )
    if isinstance(of, AlterationEffect):
        return f"slightly altered rows are answered unlike the real ones: {_effect(of)}"
    if failed.check == GateCheck.GROUPS_UNKNOWN:
        return (
            f"fairness by {of} is not known: fewer than two of its groups have {MIN_SLICE_ROWS} of the rows that it "
            "is judged on, or what is compared is not defined there"
        )
    return {
        GateCheck.FEW_ROWS: f"there are answers to {evaluation.holdout_rows} labelled rows that it had not learned "
        f"from; a first model is judged on {params.statistics.min_rows} (params.yaml: statistics.min_rows)",
        GateCheck.LATENCY_UNKNOWN: "the latency of one answer was not measured; retrain again",
        GateCheck.SLOW: f"one answer takes {inputs.latency_ms or 0:.3g} ms of CPU time, and at most "
        f"{params.gate.max_latency_ms:g} ms are allowed; allow more (params.yaml: gate.max_latency_ms), or let less "
        "answer: lighter recipes (train.recipe), or one model (train.ensemble: false)",
        GateCheck.WEIGHTS_ALIKE: f"the members' weights would move by {inputs.moved or 0:.2f} (total variation), and a "
        f"release is made from {LEAST_MOVE:g} on",
        GateCheck.SANITY_UNKNOWN: "nobody tried how it answers slightly altered rows; retrain again",
    }[failed.check]


def _held(name: Opponent, inputs: GateInputs, params: Params) -> str:
    """Say how it stands beside one that it was not shown to be worse than."""
    other = inputs.evaluation.against[name]
    gain = other.gain
    if name == Opponent.CHAMPION and not other.rows_won and not other.rows_lost:
        return (
            f"it cannot be told apart from the {name}, as every refresh of these windows served, or all but one: "
            f"{inputs.evaluation.metric} {format_score(other.score)} on {describe_judged_rows(inputs.evaluation)}"
        )
    verdict = "better than" if gain.low > 0 else "worse than" if gain.high < 0 else "not shown to be worse than"
    return f"{verdict} the {name}: {_gain(name, inputs, params)}"


def _gain(name: Opponent, inputs: GateInputs, params: Params) -> str:
    evaluation, other = inputs.evaluation, inputs.evaluation.against[name]
    compared = other.rows_won + other.rows_lost  # 0: the metric compares no rows one by one
    alike = f", {evaluation.holdout_rows - compared:,} alike" if 0 < compared < evaluation.holdout_rows else ""
    each = ""  # where the counts alone would tell the opposite of the gain
    if other.gain.value > 0 and other.rows_lost > other.rows_won:
        each = ", these by less each"
    elif other.gain.value < 0 and other.rows_won > other.rows_lost:
        each = ", these by more each"
    return (
        f"gain {format_interval(other.gain)} over {evaluation.metric} {format_score(other.score)} at "
        f"{params.statistics.confidence:.0%} confidence, on {describe_judged_rows(evaluation)}, "
        f"{other.rows_won:,} rows won and {other.rows_lost:,} lost{each}{alike}"
    )


def describe_judged_rows(evaluation: Evaluation) -> str:
    """Say which rows a model was judged on."""
    windows = f"the newest {counted(evaluation.windows, 'window')}" if evaluation.windows > 1 else "the newest window"
    return f"the {counted(evaluation.holdout_rows, 'row')} of {windows}"


def _difference(group: GroupDifference, params: Params) -> str:
    mine = group.challenger
    value, low, high = (format_score(end) for end in (mine.value, mine.low, mine.high))
    return (
        f"the {group.metric} between the groups of {group.attribute} is {value} [{low}, {high}] at "
        f"{params.statistics.confidence:.0%} confidence"
        + ("" if group.champion is None else f" (the champion's is {format_score(group.champion)})")
    )


def _remark(remark: Remark, of: GroupDifference | Opponent | None, inputs: GateInputs, params: Params) -> str:
    evaluation = inputs.evaluation
    if isinstance(of, GroupDifference):
        return (
            f"{_difference(of, params)}: more than the {params.gate.max_unfairness:g} that is allowed, though so few "
            "rows do not show it; inspect these groups, and judge on more rows (params.yaml: gate.max_unfairness)"
        )
    if remark == Remark.NAIVE:
        return f"it is the naive answer itself ({constant_name(evaluation.task)}): no model is better yet"
    if remark == Remark.CHAMPION_MAY_KNOW:
        return CHAMPION_MAY_KNOW
    if remark == Remark.BELOW_NAIVE and of is not None:
        return (
            f"below the naive baseline: the {describe_baseline(of)} scores {format_score(evaluation.against[of].score)}"
            f" by {evaluation.metric}, the challenger {format_score(evaluation.score.value)}"
        )
    if remark == Remark.ROW_BEFORE_IS_BETTER:
        return (
            f"repeating the label of the row before scores "
            f"{format_score(evaluation.against[Opponent.ROW_BEFORE].score)}, above the challenger's "
            f"{format_score(evaluation.score.value)}; if labels really arrive that fast, set gate.label_delay_rows"
        )
    if remark == Remark.TOO_GOOD and evaluation.too_good is not None:
        return describe_too_good(evaluation.too_good)
    if remark == Remark.LABELS_IN_DOUBT and evaluation.sound is not None:
        sound, rows = evaluation.sound, counted(evaluation.holdout_rows - evaluation.sound.rows, "row")
        return (
            f"what is expected of it is its score without {rows} of the holdout, {evaluation.metric} "
            f"{format_score(sound.score.value)}: the labels of these rows are in doubt or were found to be wrong, or "
            "members answered them that had learned wrong labels"
        )
    return f"it is served by scikit-learn: {inputs.export_problem}"


def describe_too_good(suspicion: TooGood) -> str:
    """Write why a score may be too good to be true, and what to check."""
    named = ", ".join(f"{each.column} ({each.share:.0%})" for each in suspicion.columns)
    columns = f"; alone, these take away most of the error: {named}" if named else ""
    return (
        f"this may be too good to be true: on {suspicion.rows} rows the model makes {suspicion.left:.2%} of the error "
        f"of the {describe_baseline(suspicion.baseline)}. Check for a column that is known only after the outcome, and "
        f"give it feature: false (params.yaml: columns){columns}"
    )


def describe_sanity(sanity: Sanity) -> str:
    """Write which slight changes were tried, and what was worst."""
    tried = f"{sanity.tried} slight changes, each of {sanity.rows} rows"
    if not sanity.worst:
        return f"{tried}: this table allows none"
    verdict = "answered unlike the real rows" if sanity.broken else "answered much as the real rows"
    return f"{tried}: {verdict}; worst: {_effect(sanity.worst[0])}"


def _effect(effect: AlterationEffect) -> str:
    """What was altered, how much that changed the answers, the limits, and an example where it was too much."""
    measured = (
        f"{effect.what} in {effect.column} changes how rows rank by {effect.lost:.0%} of what another row's cell would "
        f"(at most {effect.most_lost:.0%} is allowed), and answers by {effect.shift:.3g} times the mean difference "
        f"between two rows (at most {MOST_SHIFT:g})"
    )
    if not effect.cells:
        return measured
    before, after = effect.answers
    answer = "is answered" if effect.label is None else f"is {effect.label} with a probability of"
    return f"{measured}; for example, {effect.cells[0]} {answer} {before:.3g}, {effect.cells[1]} {after:.3g}"


def outcome(challenger: Challenger) -> str:
    """Say in a few words what the gate decided."""
    if challenger.promote:
        return "accepted" + (", the naive answer itself" if challenger.evaluation.naive else "")
    return f"refused, {challenger.champion} stays" if challenger.champion else "refused, so nothing serves yet"


def describe_rebuild(record: ModelRebuilt) -> str:
    """Write what came of building a model version again, and what that means for its files."""
    again = f"make rebuild MODEL={record.model}"
    unchanged = "nothing was put back" if record.purpose == RebuildPurpose.RESTORE else "its files stay"
    if record.failure:
        return f"{record.model} could not be built again, so {unchanged}: {record.failure}"
    if record.differing:
        return (
            f"{record.model} was built again, and {', '.join(record.differing)} came out otherwise, so {unchanged}; "
            "compare the environment with the one on its card"
        )
    if record.purpose == RebuildPurpose.RESTORE:
        return f"{record.model} was built again, byte for byte, and is back in the model store"
    if record.purpose == RebuildPurpose.CHECK:
        return f"{record.model} was built again, byte for byte; its files are in the model store as before"
    size = f"{record.bytes / 1e6:.1f} MB"
    if record.proof:
        return (
            f"{record.model} was made by the code, libraries and recipes that made {record.proof}, which was built "
            f"again byte for byte; its files ({size}) leave the store: {again} puts them back"
        )
    return f"{record.model} was built again, byte for byte; its files ({size}) leave the store: {again} puts them back"


def describe_tidying(left: Sequence[str], freed: int, differing: Sequence[ModelRebuilt], untried: int) -> list[str]:
    """Write what left the stores, and what stays there although it is old; no line where nothing happened."""
    lines = [f"files of {', '.join(left)} left the model store"] if left else []
    lines += [f"{freed / 1e6:.1f} MB were freed in the model store and in DVC's cache"] if freed else []
    lines += [describe_rebuild(record) for record in differing]
    lines += [f"{untried} older models wait for their rebuild to be tried"] if untried else []
    return lines


def event_reason(event: Event | StatusChange) -> str:
    """Return why it happened, and where it came from; of a release that nobody gave a reason for, that the gate
    accepted the model."""
    reason = event.reason or (BY_GATE if event.kind == RELEASED else "")
    origin = event.payload.get("origin") if isinstance(event, Event) and event.kind == RELEASED else None
    return f"{reason}; {describe_origin(Origin.model_validate(origin))}" if origin else reason


def describe_origin(origin: Origin) -> str:
    """Write where a release came from, and what let it in."""
    basis = {
        Basis.GATE: "whose gate compared it with what served here",
        Basis.REJUDGED: "judged here once more",
        Basis.PERSON: "no gate compared it with what served here",
    }[origin.basis]
    return f"promoted from {origin.environment}, event {origin.number} ({origin.hash[:12]}), {basis}"


def status_reason(status: ModelVersionStatus) -> str:
    """Write what brought a model version to its state: what was done, or the gate's reasons."""
    if not status.changes:
        return gate_reasons(status)
    sentences = []
    for change in status.changes:
        sentence = STATUS_CHANGES[change.kind, change.state]
        sentences.append(
            sentence.format(
                why=event_reason(change), model=change.model, left=change.left or "nothing", by=change.by
            ).removesuffix(": ")
        )
    return "; ".join(sentences)


def gate_reasons(status: ModelVersionStatus) -> str:
    """Write the gate's reasons for this very version."""
    return "; ".join(status.challenger.sentences)


def full_status_reason(status: ModelVersionStatus) -> str:
    """Write what brought a model version to its state, and the gate's reasons where those are others."""
    if not status.changes:
        return gate_reasons(status)
    return f"{status_reason(status)}; the gate had said: {gate_reasons(status)}"


def conclusion(scenario: str, challenger: Challenger, *, at: str | None, for_people: bool = False) -> str:
    """Write the last line of a run: what was decided, the first reason, and what to do next.

    `at`: where a running service answers with it, "" where none does, None where it was not released. `for_people`:
    whether people have to approve it.
    """
    if at is not None:
        return served(scenario, challenger.model, at=at)
    decided = f"{challenger.model} {outcome(challenger)}: {challenger.reasons[0]}"
    if challenger.promote:
        how = f"releve approve {scenario}" if for_people else f"make release SCENARIO={scenario}"
        return f"{decided}. It waits: {how}"
    if challenger.brought:
        return (
            f"{decided}. {HISTORY.format(scenario=scenario)}. To have it judged again, bring it once newer labelled "
            f"rows came, or bring a better one: releve bring {scenario} {quote(challenger.brought.file)}. A retraining "
            "does not judge it: there it is a member of the ensemble, and answers to newer rows earn it weight"
        )
    return (
        f"{decided}. {HISTORY.format(scenario=scenario)}. Mend what the reason names, with more rows or in "
        f"scenarios/{scenario}/params.yaml (what the gate asks for: its section gate), commit, and run again: "
        f"make retrain SCENARIO={scenario}"
    )


def served(scenario: str, model: str, *, at: str, note: str = "", environment: str = "") -> str:
    """Write the last line of a release.

    `at`: where a running service answers with it, "" where none does; `note`: what a person should know besides;
    `environment`: another one than the command's, whose history it is.
    """
    what = f"{model} serves {scenario} at {at}" if at else f"{model} is the release of {scenario}; {NOT_SERVED}"
    where = f"RELEVE_ENV={environment} " if environment else ""
    return f"{what}; {f'{note}; ' if note else ''}{where}{HISTORY.format(scenario=scenario)}"


def rolled_back(scenario: str, model: str, left: str, *, at: str, note: str = "") -> str:
    """Write the last line of a rollback: what serves, and how to undo it. `at`, `note`: see `served`."""
    what = f"{model} {'serves' if at else 'is the release of'} {scenario} again, in the place of {left}"
    where = f" at {at}" if at else f"; {NOT_SERVED}"
    return f"{what}{where}; {f'{note}; ' if note else ''}make rollback SCENARIO={scenario} once more brings {left} back"


def nothing_serves(scenario: str, events: Sequence[Event]) -> str:
    """Say why no release serves, and what to do; `events` of the scenario, oldest first."""
    start = f"no release of {scenario} is served"
    last = events[-1] if events else None
    if last is None or last.kind != CHALLENGED:
        return f"{start} yet: train and release one (make retrain SCENARIO={scenario})"
    model = last.read(Challenger).model
    if last.read(Challenger).promote:
        return f"{start} yet: {model} was accepted and waits (make release SCENARIO={scenario})"
    return (
        f"{start}: the gate refused the newest challenger, {model} (make history SCENARIO={scenario} says why); "
        f"fix that and run make retrain SCENARIO={scenario}"
    )
