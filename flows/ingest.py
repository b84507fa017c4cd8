"""Incoming files become versioned batches."""

from prefect import flow

from flows.artifacts import show_ingestion
from flows.context import Scenario, begin, step
from releve.core.settings import Settings
from releve.core.wording import counted
from tasks.ingestion import harvest as harvest_step
from tasks.ingestion import ingest as ingest_step
from tasks.ingestion.ingest import Ingestion
from tasks.places import ScenarioState

harvest = step(harvest_step.harvest)
version_rows = step(ingest_step.ingest, name="ingest")


@flow(name="ingest", flow_run_name="ingest-{scenario}", log_prints=True)
def ingest(scenario: Scenario = "digits") -> Ingestion:
    """Version what waits in the incoming folder; fails, after the rest is ingested, when a file was refused."""
    found = take_in(begin(scenario), scenario)
    ingest_step.check_refusals(found)
    return found


def take_in(settings: Settings, scenario: str, *, harvested: bool = False) -> Ingestion:
    """Ingest the incoming folder; `harvested` puts newly labelled answers into it first."""
    if harvested:
        print(f"{harvest(settings, scenario)} labelled answers wait to be ingested")
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
            print(f"to mend them and send them again: make requeue SCENARIO={scenario} BATCH={batch.batch}")
    for refusal in (*found.duplicates, *found.refusals):
        print(refusal.reason)
    if found.refusals:
        print(f"the refused files, each beside its reason: {found.refused}")
    return found
