"""Sentences about scored tables. Nothing reads them back."""

from releve.core.formatting import counted, listed
from releve.domain.scoring.manifest import START_OVER, Changed, ScoringManifest

MANY = 0.1  # share of the answered rows, above which unknown lags are no gaps of the table
CHANGES = {
    Changed.SCENARIO: "it is of another scenario",
    Changed.INPUTS: "the input was another one (files, or what is in them)",
    Changed.SETTINGS: "the settings of `ingest` were others, or this version of Relève cuts files otherwise",
    Changed.FORM: "its parts are of another form",
    Changed.LEDGER: "it was begun with another choice of --ledger",
}


def describe_changes(folder: str, changes: list[Changed]) -> str:
    """Say why an output cannot be gone on with."""
    return f"{folder} was begun otherwise: {listed((CHANGES[each] for each in changes), between='; ')}; {START_OVER}"


def describe_scoring(folder: str, manifest: ScoringManifest, *, resumed_rows: int, newer_model: str) -> list[str]:
    """Write what became of every row, and where the answers are."""
    begun = manifest.begun
    lines = [
        f"{counted(manifest.rows, 'row')} in = {manifest.answered:,} answered + {manifest.rejected:,} rejected, "
        f"by {begun.model}",
        f"answers: {counted(len(manifest.parts), 'part')} in {folder}",
    ]
    if manifest.rejected:
        worst = max(manifest.parts, key=lambda part: part.rejected)
        lines.append(f"rejected rows and their reasons: {folder}/_rejected, most often {worst.most_rejected}")
    unknown = {name: rows for name, rows in manifest.unknown_lags.items() if rows > MANY * manifest.answered}
    if unknown:
        shown = listed((f"{name} for {counted(rows, 'row')}" for name, rows in unknown.items()), most=6)
        lines.append(
            f"not known: {shown}. What these lags look back to has not come in, and the model has hardly learned to do "
            "without: these answers are worse than its card says. Ingest newer rows first, score fewer rows ahead, or "
            "declare longer lags (docs/features.md)"
        )
    if begun.ledger:
        lines.append(f"the ledger of {begun.scenario} has the answers, in {counted(manifest.requests, 'request')}")
    if resumed_rows:
        lines.append(f"{counted(resumed_rows, 'row')} of them had been finished before")
    if newer_model:
        lines.append(
            f"{newer_model} serves by now; this output was begun by {begun.model}, which answered all of it. --again "
            "answers it anew"
        )
    return lines


def describe_unanswered(manifest: ScoringManifest, folder: str) -> str:
    """Say that no row of an input fits."""
    worst = max(manifest.parts, key=lambda part: part.rejected)
    return (
        f"none of {counted(manifest.rows, 'row')} could be answered: {worst.most_rejected}; the rows and their reasons "
        f"are in {folder}/_rejected"
    )
