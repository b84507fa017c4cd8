"""What a change does to the models, for the person who reviews it."""

from collections.abc import Iterator, Sequence

from releve.core.formatting import counted, format_score, listed, shortened
from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import format_interval
from releve.domain.evaluation.metrics import METRICS
from releve.domain.evaluation.revisions import RevisionChange, best_naive
from releve.reporting.blocks import Block, ReportPage, ReportSection, TableBlock, TextBlock
from releve.reporting.comparison import describe_score

TITLE = "What this change does to the models"
LONGEST = 600  # letters of what kept a scenario from being built
NOT_THE_SAME = "The two commits answer other rows, or another question, so that no difference is paired:"


def build_changes(changes: Sequence[RevisionChange]) -> ReportPage:
    """Write the page; it holds no time, so that the same results make the same page."""
    changed = [each for each in changes if not each.is_same]
    same = [each.scenario for each in changes if each.is_same]
    sections = tuple(ReportSection(each.scenario, tuple(_blocks(each))) for each in changed)
    if not changes:
        summary = "There is no scenario."
    elif not changed:
        summary = f"Nothing changed: both commits make the same models and figures of {listed(same)}."
    else:
        unchanged = f" Nothing changed in {listed(same)}." if same else ""
        summary = f"{counted(len(changed), 'scenario')} of {len(changes)} changed.{unchanged}"
    return ReportPage(TITLE, summary, sections)


def _blocks(change: RevisionChange) -> Iterator[Block]:
    if change.problem:
        which = "This change keeps it from being built" if change.is_broken else "It cannot be built here"
        yield TextBlock((f"{which}: {shortened(change.problem, most=LONGEST)}",))
    comparison, after = change.comparison, change.after
    if comparison and comparison.by_metric and after:
        yield TextBlock((_verdict(change),))
        rows = []
        for name, one in comparison.by_metric.items():
            judged = f"{name}, judged by" if name == after.metric else name
            mine = one.score + METRICS[name].sign * one.gain.value
            rows.append((judged, format_score(one.score), format_score(mine), format_interval(one.gain)))
        heads = ("metric", "before", "after", f"gain [{after.confidence:.0%} interval]; above 0 is better")
        yield TableBlock(heads, tuple(rows))
        yield from _naive(after)
    elif comparison:
        figures = [f"{word}: {_figures(each)}" for word, each in (("before", change.before), ("after", after)) if each]
        yield TextBlock((NOT_THE_SAME,))
        yield TextBlock(tuple(figures), points=True)
        yield from _naive(after) if after else ()
    elif after and not change.problem:
        yield TextBlock((f"New: {_figures(after)}.",))
        yield from _naive(after)
    elif not change.problem:
        yield TextBlock(("Its folder is gone: nothing trains it any more, and what serves goes on.",))


def _verdict(change: RevisionChange) -> str:
    assert change.comparison and change.after
    gain = change.comparison.by_metric[change.after.metric].gain
    rows = f"on the same {counted(change.comparison.rows, 'row')}, none of which either had learned"
    if gain.low > 0:
        return f"Better by {change.after.metric}, {rows}."
    if gain.high < 0:
        return f"Worse by {change.after.metric}, {rows}."
    return f"Neither better nor worse by {change.after.metric}, as far as can be told, {rows}."


def _naive(after: Evaluation) -> Iterator[Block]:
    """The best baseline, since a gain says little where both are worse than saying the same every time."""
    if best := best_naive(after):
        name, one = best
        score, gain = format_score(one.score), format_interval(one.gain)
        itself = " It is what would serve." if after.naive else ""
        yield TextBlock((f"Best naive baseline: {describe_baseline(name)}, {score}; gain over it {gain}.{itself}",))


def _figures(evaluation: Evaluation) -> str:
    return f"{describe_score(evaluation)} on {counted(evaluation.holdout_rows, 'row')}"
