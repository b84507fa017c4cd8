"""The leaderboard: a line per scenario, and by how much each challenger beats whom."""

from dataclasses import dataclass

from releve.core.formatting import format_score
from releve.domain.evaluation.evaluation import Evaluation
from releve.reporting.blocks import Block, ReportPage, ReportSection, TableBlock, TextBlock
from releve.reporting.comparison import comparison_chart, comparison_table

HEADS = ("scenario", "labelled rows", "judged rows", "metric", "score", "interval", "also", "best naive baseline")


@dataclass(frozen=True)
class ScenarioResult:
    """The evaluation of a scenario's newest challenger."""

    scenario: str
    evaluation: Evaluation


def build_leaderboard(results: tuple[ScenarioResult, ...]) -> ReportPage:
    """Write the page over all scenarios; it holds no time, so that the same results make the same page."""
    if not results:
        return ReportPage("Leaderboard", "No scenario has a result yet.", ())
    board = ReportSection("All scenarios", (TableBlock(HEADS, tuple(map(_line, results))),))
    summary = "The newest challenger of each scenario, on its newest windows."
    return ReportPage("Leaderboard", summary, (board, *map(_section, results)))


def _line(result: ScenarioResult) -> tuple[str, ...]:
    """A cell per head."""
    evaluation, score = result.evaluation, result.evaluation.score
    naive = {name: other.score for name, other in evaluation.baselines_to_beat}
    best = max(naive, key=lambda name: evaluation.sign * naive[name], default=None)
    return (
        result.scenario,
        str(evaluation.rows),
        str(evaluation.holdout_rows),
        evaluation.metric,
        format_score(score.value),
        f"{format_score(score.low)} to {format_score(score.high)}",
        "" if evaluation.own_score is None else f"{evaluation.own_metric} {format_score(evaluation.own_score)}",
        f"{best} {format_score(naive[best])}" if best else "",
    )


def _section(result: ScenarioResult) -> ReportSection:
    evaluation = result.evaluation
    first = [] if evaluation.champion else [TextBlock(("There was no champion to compare with.",))]
    blocks: list[Block] = [*first, comparison_table(evaluation), comparison_chart(evaluation)]
    title = f"{result.scenario}: {evaluation.metric} {format_score(evaluation.score.value)}"
    return ReportSection(title, tuple(blocks))
