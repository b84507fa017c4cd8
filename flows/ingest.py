"""Incoming files become versioned batches."""

from pathlib import Path
from typing import Any

from prefect import flow

from flows.shared.context import Scenario, begin, show, step
from flows.shared.publish import send_alerts
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed, unless_attention
from releve.core.errors import ReleveError
from releve.core.formatting import counted, plural
from releve.core.settings import Settings
from releve.domain.registry.events import BatchIngested
from tasks.ingestion import ingest as ingest_step
from tasks.ingestion.ingest import Ingestion
from tasks.places import ScenarioState

version_rows = step(ingest_step.ingest, name="ingest")


@flow(name="ingest", flow_run_name="ingest {scenario}", log_prints=True)
@scenario_run()
def ingest(scenario: Scenario) -> Any:
    """Version the files in the incoming folder. Ends with the Ingestion.

    Needs attention, after the others are ingested, when a file was refused, or lags reach too far.
    """
    settings = begin(scenario)
    done = ingest_files(settings, scenario)
    if done.batches:
        follow_index(settings, scenario)
    message = describe_ingestion(scenario, done, ScenarioState(settings.home, scenario).incoming)
    return unless_attention(needed_of(done), completed(message, done))


def describe_ingestion(scenario: str, done: Ingestion, incoming: Path) -> str:
    """Say in a line what came in."""
    if not done:
        return f"no file waits in {incoming}"
    rows, rejected = (sum(getattr(batch, kind) for batch in done.batches) for kind in ("rows", "rejected"))
    batches = f"{len(done.batches)} new {plural(len(done.batches), 'batch', 'batches')}"
    return f"{scenario}: {batches}, {counted(rows, 'row')} accepted, {rejected:,} rejected"


def refused_files(*ingestions: Ingestion) -> list[str]:
    """What a person has to look at: a sentence for each ingestion that refused files."""
    return [refusals for done in ingestions if (refusals := ingest_step.describe_refusals(done))]


def needed_of(done: Ingestion) -> list[str]:
    """What a person has to look at after an ingestion by itself; a training refuses lags that reach too far."""
    return [*refused_files(done), *filter(None, [done.short_lags])]


def ingest_files(settings: Settings, scenario: str) -> Ingestion:
    """Ingest the incoming folder and report what became of each file."""
    done: Ingestion = version_rows(settings, scenario)
    if done:  # a retraining ingests too: an empty folder must not replace what the last ingestion showed
        show_ingestion(scenario, done)
    for batch in done.batches:
        print(
            f"{batch.source}: {counted(batch.rows, 'row')} accepted, {batch.rejected:,} rejected -> batch {batch.batch}"
        )
        if batch.superseded:
            print(describe_superseded(batch))
        print(f"{batch.source} was read as {batch.read_as}")
        for warning in batch.warnings:
            print(f"warning, {batch.source}: {warning}")
        if batch.rejected:
            rows = counted(batch.rows + batch.rejected, "row")
            print(f"{batch.source}: {batch.rejected:,} of {rows} rejected, most often {batch.most_rejected}")
            folder = ScenarioState(settings.home, scenario).quarantine
            print(f"the rejected rows and their reasons: {folder / batch.batch}.parquet")
            print(f"to correct them and send them again: make resubmit SCENARIO={scenario} BATCH={batch.batch}")
    if done.short_lags:
        print(f"warning: {done.short_lags}")
    for refusal in (*done.duplicates, *done.refusals):
        print(refusal.reason)
    if done.refusals:
        print(f"the refused files, each beside its reason: {done.refused}")
        send_alerts(settings, scenario)  # now: what follows may fail
    return done


def follow_index(settings: Settings, scenario: str) -> None:
    """Have searches find the rows that came in, beside the model that serves. What cannot be done fails nothing."""
    from tasks.release.index_refresh import IndexRefreshed, refresh_index

    try:
        done: IndexRefreshed | None = step(refresh_index)(settings, scenario)
    except ReleveError as error:
        print(f"searches find the rows of before for now: {error}")
        return
    if done:
        print(f"searches find {counted(done.new, 'row')} more, {done.gone:,} not any more: {done.release.index_name}")


def describe_superseded(batch: BatchIngested) -> str:
    """Say how many rows of a batch were there before, and how many labels it corrects."""
    rows, labels = counted(batch.superseded, "row"), counted(batch.corrected, "label")
    corrected = f", and {labels} {plural(batch.corrected, 'is', 'are')} corrected" if batch.corrected else ""
    return f"{batch.source}: {rows} of {batch.rows:,} came before{corrected}; each counts once, with its newest label"


def show_ingestion(scenario: str, done: Ingestion) -> None:
    """Show a line per file, then the warnings and the reasons of refusals."""
    from releve.reporting.blocks import TableBlock, TextBlock

    lines = [(b.source, f"batch {b.batch}", f"{b.rows:,}", f"{b.rejected:,}", b.read_as) for b in done.batches]
    lines += [(each.source, "already ingested", "", "", "") for each in done.duplicates]
    lines += [(each.source, "refused", "", "", "") for each in done.refusals]
    notes = [describe_superseded(batch) for batch in done.batches if batch.superseded]
    notes += [f"{batch.source}: {warning}" for batch in done.batches for warning in batch.warnings]
    notes += [refusal.reason for refusal in done.refusals]
    table = TableBlock(("file", "result", "rows", "in quarantine", "read as"), tuple(lines))
    where = f"Refused files, each beside its reason: {done.refused}" if done.refusals else ""
    blocks = (table, TextBlock(tuple(notes), points=True))
    show("ingest", scenario, f"{scenario}: {len(done.batches)} new batches", blocks, summary=where)
