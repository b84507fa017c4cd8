"""How a challenger compares with the champion and with the naive baselines."""

from releve.core.formatting import format_score
from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import format_interval, format_score_interval
from releve.reporting.blocks import IntervalBar, IntervalChart, TableBlock


def describe_score(evaluation: Evaluation, *, with_interval: bool = True) -> str:
    """Write the challenger's score by the gate's metric, and by the task's own where that is another."""
    score = format_score_interval(evaluation.score) if with_interval else format_score(evaluation.score.value)
    own = "" if evaluation.own_score is None else f", {evaluation.own_metric} {format_score(evaluation.own_score)}"
    return f"{evaluation.metric} {score}{own}"


def comparison_table(evaluation: Evaluation) -> TableBlock:
    """List the challenger, and every opponent with the gain over it; the task's own metric beside the gate's."""

    def scores(score: float, own_score: float | None) -> tuple[str, ...]:
        beside = "" if own_score is None else format_score(own_score)
        return (format_score(score), beside) if evaluation.own_metric else (format_score(score),)

    own = (evaluation.own_metric,) if evaluation.own_metric else ()
    heads = ("who", evaluation.metric, *own, f"gain over it [{evaluation.confidence:.0%} interval]")
    name = "the naive answer itself" if evaluation.naive else "this model"
    mine = (name, *scores(evaluation.score.value, evaluation.own_score), "")
    others = (
        (describe_baseline(name), *scores(one.score, one.own_score), format_interval(one.gain))
        for name, one in evaluation.against.items()
    )
    return TableBlock(heads, (mine, *others))


def comparison_chart(evaluation: Evaluation) -> IntervalChart:
    """Draw the gain over every opponent."""
    bars = tuple(IntervalBar(name, one.gain) for name, one in evaluation.against.items())
    return IntervalChart(f"Gain in {evaluation.metric} over each: right of the line, the challenger is better", bars)
