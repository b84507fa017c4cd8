"""The leaderboard: a line per scenario, and by how much each challenger beats whom."""

from dataclasses import dataclass

from releve.core.formatting import format_score
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import format_interval
from releve.reporting.blocks import Block, IntervalBar, IntervalChart, ReportPage, ReportSection, TableBlock, TextBlock

HEADS = ("scenario", "labelled rows", "holdout rows", "metric", "score", "interval", "best baseline to beat")


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
    summary = "The newest challenger of each scenario, on its own holdout."
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
        f"{best} {format_score(naive[best])}" if best else "",
    )


def _section(result: ScenarioResult) -> ReportSection:
    evaluation = result.evaluation
    rows = []
    for name, other in evaluation.against.items():
        note = "" if other.must_beat else "for comparison only"
        rows.append((name, format_score(other.score), format_interval(other.gain), note))
    first = [] if evaluation.champion else [TextBlock(("There was no champion to compare with.",))]
    bars = tuple(IntervalBar(name, one.gain) for name, one in evaluation.against.items())
    chart = IntervalChart(f"Gain in {evaluation.metric} over each; positive is better", bars)
    heads = ("compared with", evaluation.metric, "gain over it", "")
    blocks: list[Block] = [*first, TableBlock(heads, tuple(rows)), chart]
    title = f"{result.scenario}: {evaluation.metric} {format_score(evaluation.score.value)}"
    return ReportSection(title, tuple(blocks))
