"""How a challenger compares with the champion and with the naive baselines."""

from releve.core.formatting import format_score
from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import format_interval
from releve.reporting.blocks import IntervalBar, IntervalChart, TableBlock


def comparison_table(evaluation: Evaluation) -> TableBlock:
    """List every opponent with its score, the gain over it, and whether it must be beaten."""
    heads = ("compared with", evaluation.metric, f"gain [{evaluation.confidence:.0%} interval]", "p", "must be beaten")
    rows = tuple(
        (
            describe_baseline(name),
            format_score(one.score),
            format_interval(one.gain),
            f"{one.p:.2g}",
            "yes" if one.must_beat else "no",
        )
        for name, one in evaluation.against.items()
    )
    return TableBlock(heads, rows)


def comparison_chart(evaluation: Evaluation) -> IntervalChart:
    """Draw the gain over every opponent."""
    bars = tuple(IntervalBar(name, one.gain) for name, one in evaluation.against.items())
    return IntervalChart(f"Gain in {evaluation.metric} over each: right of the line, the challenger is better", bars)
