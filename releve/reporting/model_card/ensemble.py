"""The members of an ensemble and what a search bought, for card and page."""

from collections.abc import Mapping

from releve.core.formatting import counted, format_score, plural
from releve.domain.ensemble.description import EnsembleDescription, MemberDescription, SearchDescription
from releve.domain.ensemble.pool import BROUGHT
from releve.domain.ensemble.weights import Serves
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import format_interval
from releve.domain.registry.search_outcome import SearchOutcome
from releve.domain.training.recipes import Value
from releve.reporting.blocks import Block, TableBlock, TextBlock

SHOWN_TRIALS = 8  # of a search, the best first
SERVES = {
    Serves.ENSEMBLE: "What serves is the weighted mean of the members with a weight.",
    Serves.PLAIN: "What serves is the first member alone: the ensemble was not better on these rows.",
    Serves.NAIVE: "What serves is the naive answer, the same to every row: no model was better on these rows.",
}


def ensemble_blocks(ensemble: EnsembleDescription, evaluation: Evaluation) -> list[Block]:
    """Write what serves, every member with its window, its weight and what it alone would lose, and the search.

    `evaluation`: of the same model; its metric is that of the trials.
    """
    about = (
        f"{SERVES[ensemble.serves]} Weights and losses ({ensemble.loss.replace('_', ' ')}, lower is better) rest on "
        f"{counted(ensemble.rows, 'row')} of {counted(ensemble.windows, 'window')}, each answered before it was "
        "learned from. The largest errors count less here, as does a window that was answered far worse than all "
        f"others: losses may be lower than the model's own {evaluation.metric}."
    )
    heads = ("member", "recipe", "learned from", "rows", "weight", "loss alone")
    members = TableBlock(heads, tuple(_member(member, ensemble) for member in ensemble.members))
    search = ensemble.search
    left_out = f"Labels of {counted(ensemble.left_out, 'row')} were found to be wrong: no member learned these rows."
    lines = (about, left_out) if ensemble.left_out else (about,)
    return [TextBlock(lines), members, *(_search(search, evaluation) if search else [])]


def _member(member: MemberDescription, ensemble: EnsembleDescription) -> tuple[str, ...]:
    window = "all rows"
    if member.last_batches:
        window = f"the newest {member.last_batches} {plural(member.last_batches, 'batch', 'batches')}"
        if member.rows == ensemble.learned - ensemble.left_out:
            window += ", so far all rows"
    is_kept, is_brought = not member.recipe, member.recipe == BROUGHT
    if is_brought:
        window = "as it was brought"
    recipe = "an older ensemble, as it was kept" if is_kept else f"{member.recipe}: {describe_options(member.options)}"
    return (
        member.name,
        recipe,
        member.problem or ("" if is_kept else window),
        "" if is_kept or is_brought else f"{member.rows:,}",
        f"{member.weight:.0%}" if member.weight else "",
        "" if member.loss is None else format_score(member.loss),
    )


def _search(search: SearchDescription, evaluation: Evaluation) -> list[Block]:
    """Write why it was made, what it proposed, and what that bought."""
    about = (
        f"A search was opened ({', '.join(search.causes)}) and made {counted(len(search.trials), 'trial')}: "
        f"{describe_outcome(search.outcome)}."
    )
    scored = [(trial.score, trial) for trial in search.trials if trial.score is not None]
    best = sorted(scored, key=lambda each: -evaluation.sign * each[0])[:SHOWN_TRIALS]
    rows = tuple(
        (str(trial.number), trial.origin, trial.recipe, describe_options(trial.options), format_score(score))
        for score, trial in best
    )
    table = [TableBlock(("trial", "origin", "recipe", "options", evaluation.metric), rows)] if rows else []
    return [TextBlock((about,)), *table]


def describe_outcome(outcome: SearchOutcome) -> str:
    """Write what a search bought."""
    if not outcome.proposed:
        return "nothing new could be proposed"
    gain = f"a gain of {format_interval(outcome.gain)} over the pool without it" if outcome.gain else "not compared"
    return f"{outcome.proposed} {'joined the pool' if outcome.joined else 'was left out'}: {gain}"


def describe_options(options: Mapping[str, Value]) -> str:
    """Write options of a recipe."""
    parts = (
        f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}" for name, value in options.items()
    )
    return ", ".join(parts) or "the defaults"
