"""Sentences and figures of what decisions cost."""

from collections.abc import Mapping

from releve.core.formatting import counted, format_score, listed, plural
from releve.domain.decision.calibration import NumberShifts
from releve.domain.decision.costs import CostMatrix
from releve.domain.decision.policy import DecisionPolicy
from releve.domain.decision.realised import RealisedCost
from releve.domain.decision.rules import Rule
from releve.domain.evaluation.evaluation import DecisionChange, Money, Opponent
from releve.domain.evaluation.intervals import format_interval, format_score_interval
from releve.domain.schema.target import Target
from releve.reporting.blocks import Block, FactList, TableBlock, TextBlock


def describe_money(money: Money) -> str:
    """Write what decisions cost, beside the best constant decision."""
    return (
        f"decisions cost {format_score_interval(money.cost)}{_unit(money.unit)} a row, and "
        f"{format_score(money.expected)} was expected; the {Opponent.SAME_DECISION} "
        f"{format_score(money.constant.score)}, a gain of {format_interval(money.constant.gain)}"
    )


def describe_idle_rules(money: Money) -> list[str]:
    """Name the rules that decided no row that is judged: others may come before them, or no row is like that."""
    idle = [reason for reason, rows in money.fired.items() if not rows]
    if not idle:
        return []
    what = plural(len(idle), "the rule", "the rules")
    return [f"{what} {listed(map(repr, idle))} decided none of {counted(money.rows, 'row')} that are judged"]


def describe_decision_change(change: DecisionChange, money: Money | None) -> str:
    """Write what changed costs or rules bring, beside those that serve."""
    if money is None:
        return "costs were taken out: nothing is decided any more"
    what = "costs or rules changed, and no answer" if change.alone else "costs or rules changed"
    if change.served is None:
        return f"{what}; what serves decides nothing that has a price today"
    if not change.served.rows_won and not change.served.rows_lost:
        return f"{what}; by the same answers and rules, the costs that serve decide every row alike"
    return (
        f"{what}; by the same answers and rules, the costs that serve come to {format_score(change.served.score)} a "
        f"row at today's prices, a gain of {format_interval(change.served.gain)}"
    )


def describe_realised(money: RealisedCost) -> str:
    """Write what decisions have cost by labels, beside what was expected."""
    fired = f"; rules decided {counted(sum(money.fired.values()), 'answer')}" if money.fired else ""
    if money.cost is None or money.expected is None:
        return f"{counted(money.rows, 'labelled decision')}, too few to know what they cost{fired}"
    constant = "" if money.constant is None else f", the {Opponent.SAME_DECISION} {format_score(money.constant)}"
    return (
        f"{format_score_interval(money.cost)}{_unit(money.unit)} a row on {counted(money.rows, 'labelled decision')}, "
        f"{format_score(money.expected)} was expected{constant}{_beside_promise(money)}{fired}"
    )


def _beside_promise(money: RealisedCost) -> str:
    if money.promised is None or money.change is None:
        return ""
    shown = f", and labels show more: a change of {format_interval(money.change)}" if money.is_dear else ""
    return f"; {format_score(money.promised.value)} was promised at the release{shown}"


def money_blocks(money: RealisedCost) -> list[Block]:
    """Write what the newest decisions cost, and how often each was taken and each rule fired."""
    blocks: list[Block] = [TextBlock((f"Realised cost: {describe_realised(money)}.",))]
    return [*blocks, *_counted("decision", "answers", money.decided), *_counted("rule", "answers", money.fired)]


def evaluated_blocks(money: Money, target: Target | None, policy: DecisionPolicy | None) -> list[Block]:
    """Write by what a model decides, and what that costs on rows that no threshold was chosen on."""
    unit, facts = _unit(money.unit), [("cost of a row", f"{format_score_interval(money.cost)}{_unit(money.unit)}")]
    facts += [("expected by its answers", f"{format_score(money.expected)}{unit}")]
    for name, one in ((Opponent.SAME_DECISION, money.constant), (Opponent.CHAMPION, money.champion)):
        if one:
            facts.append((f"the {name}", f"{format_score(one.score)}, a gain of {format_interval(one.gain)}"))
    if money.rules:
        facts.append(("what rules add", format_interval(money.rules)))
    blocks: list[Block] = [FactList(tuple(facts))]
    if policy and target:
        blocks += policy_blocks(policy, target)
    return [*blocks, *_counted("decision", "rows", money.decided), *_rules(policy, money.fired)]


def policy_blocks(policy: DecisionPolicy, target: Target) -> list[Block]:
    """Write costs and thresholds."""
    costs = policy.costs
    if isinstance(costs, CostMatrix):
        heads = ("decision", *(f"cost where {label}" for label in target.classes))
        lines = tuple(
            (name, *(f"{cost:g}" for cost in row)) for name, row in zip(costs.decisions, costs.costs, strict=True)
        )
        blocks: list[Block] = [TableBlock(heads, lines)]
        cuts = policy.thresholds(target)
        if cuts:
            heads = (f"from this probability of {target.positive} on", "decision")
            blocks.append(TableBlock(heads, tuple((f"{cut.probability:.4f}", cut.decision) for cut in cuts)))
        if unused := costs.never_decided():
            blocks.append(TextBlock((f"No answer leads to {', '.join(unused)}: another decision never costs more.",)))
        return blocks
    priced = tuple((name, f"{price:g}") for name, price in zip(costs.decisions, costs.prices, strict=True))
    prices = (("a unit too little", f"{costs.under:g}"), ("a unit too much", f"{costs.over:g}"), *priced)
    return [FactList(prices), *_shifts(policy.numbers)]


def _shifts(numbers: NumberShifts | None) -> list[Block]:
    if numbers is None:
        return []
    ends = [f"{edge:.6g}" for edge in numbers.edges]
    names = [*(f"up to {end}" for end in ends), f"above {ends[-1]}"] if ends else ["any"]
    rows = tuple(
        (name, f"{each.shift:+.6g}", format_score(each.cost), str(each.rows))
        for name, each in zip(names, numbers.bins, strict=True)
    )
    return [TableBlock(("answer", "added to it", "cost expected", "rows that tell"), rows)]


def _rules(policy: DecisionPolicy | None, fired: Mapping[str, int]) -> list[Block]:
    if not fired:
        return []
    rules = {rule.reason: rule for rule in policy.table.rules} if policy else {}
    rows = tuple((reason, _condition(rules.get(reason)), f"{count:,}") for reason, count in fired.items())
    return [TableBlock(("rule", "what it says", "rows"), rows)]


def _condition(rule: Rule | None) -> str:
    if rule is None:
        return ""
    instead = f", instead of {' or '.join(rule.instead_of)}" if rule.instead_of else ""
    return f"{rule.condition}: {rule.decision}{instead}"


def _counted(what: str, of: str, counts: Mapping[str, int]) -> list[Block]:
    rows = tuple((name, f"{count:,}") for name, count in counts.items())
    return [TableBlock((what, of), rows)] if rows else []


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""
