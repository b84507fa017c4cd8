"""What live labels say of champion and challenger, in words."""

from releve.core.formatting import counted, format_score, plural
from releve.domain.arms.comparison import LiveComparison, Look
from releve.domain.arms.decision import ArmsCompared, ArmsReason
from releve.domain.evaluation.intervals import format_interval, format_score_interval


def describe_decision(compared: ArmsCompared) -> str:
    """Say what was decided, and by which figures."""
    comparison, decision = compared.comparison, compared.decision
    challenger, champion = comparison.challenger.model, comparison.champion.model
    shown, newest = comparison.decisive, comparison.newest
    if shown and decision.reason in (ArmsReason.BETTER, ArmsReason.WORSE):
        verdict = f"{challenger} is shown to be {decision.reason} than {champion}"
        return f"{verdict}: {describe_look(shown, comparison)}"
    known = f": {describe_look(newest, comparison)}" if newest else ""
    if decision.reason is ArmsReason.UNDECIDED:
        return (
            f"{challenger} and {champion} are not told apart by {counted(comparison.smaller, 'row')} "
            f"(params.yaml: arms.max_rows), so that the champion stays{known}"
        )
    return f"{challenger} is not told apart from {champion} yet{known}"


def describe_look(look: Look, comparison: LiveComparison) -> str:
    """Write the gain after so many rows, with its interval."""
    gain = format_interval(look.interval) if look.interval else format_score(look.gain, sign="+")
    unit = f"gain {gain} in {comparison.metric}"
    return f"{unit} after {counted(look.rows, 'row')}, each end at {comparison.confidence:.0%} confidence at all looks"


def describe_costs(comparison: LiveComparison) -> tuple[str, ...]:
    """Say what decisions of each arm have cost; nothing where no cost is known. It is told, and decides nothing."""
    unit = f" {comparison.unit}" if comparison.unit else ""
    known = [
        f"{arm.model} {format_score_interval(arm.cost)}{unit}"
        for arm in (comparison.champion, comparison.challenger)
        if arm.cost
    ]
    return (f"decisions have cost a labelled row: {', '.join(known)}",) if known else ()


def describe_missing(compared: ArmsCompared) -> tuple[str, ...]:
    """List what is missing to a decision; nothing where there is one."""
    comparison, decision, missing = compared.comparison, compared.decision, []
    left = decision.rows_left
    if decision.reason is ArmsReason.FEW_ROWS:
        more = f"{counted(left, 'more row')} of the arm that has fewer" if left else "more blocks of neighbouring rows"
        missing.append(f"{more}, for a first interval")
    elif decision.reason is ArmsReason.NO_DIFFERENCE:
        missing.append("rows on which the arms differ: no labelled one tells them apart")
    elif decision.reason is ArmsReason.NOT_SHOWN:
        about = f"about {counted(left, 'more row')}" if left else "more rows than can be foretold"
        missing.append(f"{about}, if the gain stays as it is")
    else:
        return ()
    given = counted(decision.rows_given, "more row")
    missing[0] += f"; it ends undecided after {given} of the arm that has fewer (params.yaml: arms.max_rows)"
    if comparison.unlabelled:
        missing.append(f"the labels of {counted(comparison.unlabelled, 'row')} that are old enough to have them")
    if comparison.waiting:
        waiting = comparison.waiting
        rows = f"{counted(waiting, 'row')} {plural(waiting, 'is', 'are')}"
        missing.append(f"time: {rows} younger than the label delay (params.yaml: arms.label_delay_hours)")
    return tuple(missing)


def describe_needless(rows: int) -> str:
    """Say of rows why their label is not missed."""
    return (
        f"{counted(rows, 'row')} count without a label, as both arms answered the same: a label would change nothing."
    )
