"""Sentences about an erasure: what left, what waits, and what no command reaches."""

from releve.core.formatting import counted, listed, to_the_second
from releve.domain.erasure.erasure import Erasure, Place

TAKEN_OUT = {
    Place.BATCHES: "rows of batches",
    Place.QUARANTINE: "rejected rows in quarantine",
    Place.FILES: "files as they came in, deleted whole",
    Place.HARVEST: "rows of harvested answers",
    Place.ANSWERS: "answers in the ledger",
    Place.SHADOWS: "shadows of requests with such an answer",
    Place.SEARCHES: "searches for such a row, or that found one",
    Place.LABELS: "labels in the ledger",
    Place.INDEX: "rows of the index, in all its versions",
}
WITH_THEM = "  and with them: their files as they came in, their labels, shadows and searches, their rows of the index"
NOT_READ = "  files that wait in the incoming folder were not read; the erasure ingests them first"
OUT_OF_REACH = (
    "git's history: numbers of rows and hashes of files, no cells",
    "backups, and copies that others took: of the rows, the ledger, the DVC remote or this folder",
    "where the rows came from (a database, who sends files): from there they come again",
    "what models learned from the rows; the next retraining starts afresh, from the rows that are left",
    "reports, charts and cards that counted the rows",
)


def describe_erasure(done: Erasure) -> list[str]:
    """Write what was taken out, what has to be done still, and what is out of reach."""
    lines = [f"{'would erase' if done.is_dry_run else 'erased'}: {counted(done.ids, 'id')}"]
    if done.before:
        lines[0] += f", for which this ran before on {to_the_second(done.before)}"
    lines += [f"  {words}: {done.counts[place]:,}" for place, words in TAKEN_OUT.items() if done.counts[place]]
    if not done.counts.total() and not done.open_segments:
        lines.append("  nothing was left of them")
    if done.is_dry_run:
        return [*lines, WITH_THEM, NOT_READ, "nothing was touched"]
    if done.experiments:
        lines.append(
            f"  {counted(done.experiments, 'experiment')}, which held such rows: make them again to compare them"
        )
    lines += [f"NOT YET: {name} is open in a running service" for name in done.open_segments]
    if done.open_segments:
        lines.append("  run the same again after `make down up`, or tomorrow, when the service has closed the day")
    if done.models:
        lines.append(
            f"STILL THERE: the files of {listed(done.models)} hold such rows (reference.parquet, "
            "reference_rows.json, holdout.parquet), and so does what DVC keeps of them; they leave as models become "
            "old (docs/storage.md)"
        )
    if done.shared:
        files = counted(done.shared, "file")
        lines.append(f"STILL THERE: {files} of older data versions, which another branch, tag or archive names, too")
    lines += [f"LOOK AT: {path} holds the id as a text" for path in done.suspects]
    lines += [f"STILL THERE: {path}, of when the scenario was started over, was not searched" for path in done.archives]
    return [*lines, "out of reach:", *(f"  {each}" for each in OUT_OF_REACH)]
