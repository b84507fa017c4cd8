"""Incoming files become versioned batches."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.artifacts import key_of, plain
from flows.context import Scenario, begin, step
from releve.core.formatting import counted
from releve.core.settings import Settings
from tasks.ingestion import ingest as ingest_step
from tasks.ingestion.ingest import Ingestion
from tasks.places import ScenarioState

version_rows = step(ingest_step.ingest, name="ingest")


@flow(name="ingest", flow_run_name="ingest-{scenario}", log_prints=True)
def ingest(scenario: Scenario = "digits") -> Ingestion:
    """Version what waits in the incoming folder; fails, after the rest is ingested, when a file was refused."""
    found = take_in(begin(scenario), scenario)
    ingest_step.check_refusals(found)
    return found


def take_in(settings: Settings, scenario: str) -> Ingestion:
    """Ingest the incoming folder."""
    found: Ingestion = version_rows(settings, scenario)
    if found:  # a retraining looks into the folder too, and would cover what the last ingestion showed
        show_ingestion(scenario, found)
    for batch in found.batches:
        print(
            f"{batch.source}: {counted(batch.rows, 'row')} accepted, {batch.rejected:,} rejected -> batch {batch.batch}"
        )
        print(f"{batch.source} was read as {batch.read_as}")
        for warning in batch.warnings.splitlines():
            print(f"warning, {batch.source}: {warning}")
        if batch.rejected:
            folder = ScenarioState(settings.home, scenario).quarantine
            print(f"the rejected rows and their reasons: {folder / batch.batch}.parquet")
            print(f"to fix them and send them again: make resubmit SCENARIO={scenario} BATCH={batch.batch}")
    for refusal in (*found.duplicates, *found.refusals):
        print(refusal.reason)
    if found.refusals:
        print(f"the refused files, each beside its reason: {found.refused}")
    return found


def show_ingestion(scenario: str, found: Ingestion) -> None:
    """A line per file: what became of it."""
    lines = [f"| {b.source} | batch {b.batch} | {b.rows} | {b.rejected} | {plain(b.read_as)} |" for b in found.batches]
    lines += [f"| {d.source} | already there | | | |" for d in found.duplicates]
    lines += [f"| {r.source} | **refused** | | | |" for r in found.refusals]
    table = "\n".join(["| file | became | rows | in quarantine | read as |", "|---|---|---|---|---|", *lines])
    told = [f"{b.source}: {plain(warning)}" for b in found.batches for warning in b.warnings.splitlines()]
    told += [plain(refusal.reason) for refusal in found.refusals]
    told += [f"Refused files lie in `{found.refused}`, each beside its reason"] if found.refusals else []
    create_markdown_artifact(
        f"# {scenario}: {len(found.batches)} new batches\n\n{table}\n" + "".join(f"\n- {line}" for line in told),
        key=key_of("ingest", scenario),
    )
