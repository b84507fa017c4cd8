"""OpenLineage: events of runs, with what each read and wrote, for whom OPENLINEAGE_* names; else nothing is imported.

The variables are those of its client: OPENLINEAGE_URL for HTTP, OPENLINEAGE__TRANSPORT__TYPE=file with
OPENLINEAGE__TRANSPORT__LOG_FILE_PATH for a file. What errors say in words stays here, as it may quote cells of a table.
"""

import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from releve import __version__
from releve.core.settings import Settings

NAMESPACE = "releve"  # of jobs and of what a scenario has, where OPENLINEAGE_NAMESPACE gives none
FILES = "file"  # namespace of files, as OpenLineage names them
PRODUCER = f"urn:releve:{__version__}"
SECONDS, RETRIES = 3.0, 1  # for an event: a run waits for its first and its last one
START, COMPLETE, FAIL = "START", "COMPLETE", "FAIL"
log = logging.getLogger("releve.lineage")
Step = TypeVar("Step", bound=Callable[..., Any])


@dataclass(frozen=True)
class LineageDataset:
    """Something that a run reads or writes. `fields`: (name, type) of its columns."""

    name: str
    namespace: str = ""  # "": that of the job
    version: str = ""
    rows: int | None = None
    fields: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class RunLineage:
    """What a run read and wrote."""

    inputs: Sequence[LineageDataset] = ()
    outputs: Sequence[LineageDataset] = ()


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the client's variables say where events go."""
    if environ.get("OPENLINEAGE_DISABLED", "").lower() == "true":
        return False
    return any(
        name in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG") or name.startswith("OPENLINEAGE__TRANSPORT")
        for name, value in environ.items()
        if value
    )


def tells_lineage(job: str, of: Callable[[Settings, str, Any], RunLineage]) -> Callable[[Step], Step]:
    """Send events of each run of a step: that it began, and that it ended, with what `of` says of its result.

    The step takes settings and a scenario first. What is wrong with the events is logged in a line, and stops nothing.
    """

    def decorate(step: Step) -> Step:
        @functools.wraps(step)
        def told(settings: Settings, scenario: str, *args: Any, **options: Any) -> Any:
            if not is_wanted(os.environ):
                return step(settings, scenario, *args, **options)
            run = _LineageRun(f"{scenario}.{job}")
            run.send(START)
            try:
                result = step(settings, scenario, *args, **options)
            except BaseException as error:
                run.send(FAIL, error=type(error).__name__)
                raise
            run.send(COMPLETE, lambda: of(settings, scenario, result))
            return result

        return cast(Step, told)

    return decorate


class _LineageRun:
    """One run of a job. After the first event that cannot be sent no other is tried."""

    def __init__(self, job: str) -> None:
        self._job, self._id = job, ""
        self._client: Any = None

    def send(self, state: str, of: Callable[[], RunLineage] = RunLineage, *, error: str = "") -> None:
        if state != START and self._client is None:
            return
        try:
            self._emit(state, of(), error)
        except ImportError as missing:
            log.warning("OPENLINEAGE_* asks for events, and %s is not installed: install releve[lineage]", missing.name)
            self._client = None
        except Exception as problem:  # whatever a transport, its server or its settings do
            log.warning("no event of %s is sent to OpenLineage: %s: %s", self._job, type(problem).__name__, problem)
            self._client = None

    def _emit(self, state: str, lineage: RunLineage, error: str) -> None:
        from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
        from openlineage.client.facet_v2 import (
            error_message_run,
            job_type_job,
            output_statistics_output_dataset,
            processing_engine_run,
        )
        from openlineage.client.uuid import generate_new_uuid

        self._client = self._client or _client()
        self._id = self._id or str(generate_new_uuid())
        namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or NAMESPACE
        facets: dict[str, Any] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(version=__version__, name="Relève")
        }
        if error:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "PYTHON")
        kind = job_type_job.JobTypeJobFacet(processingType="BATCH", integration="RELEVE", jobType="JOB")
        event = RunEvent(
            eventType=RunState[state],
            eventTime=datetime.now(UTC).isoformat(),
            run=Run(self._id, facets),
            job=Job(namespace, self._job, {"jobType": kind}),
            producer=PRODUCER,
            inputs=[
                InputDataset(each.namespace or namespace, each.name, facets=_facets(each)) for each in lineage.inputs
            ],
            outputs=[
                OutputDataset(
                    each.namespace or namespace,
                    each.name,
                    {}
                    if each.rows is None
                    else {
                        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                            rowCount=each.rows
                        )
                    },
                    facets=_facets(each),
                )
                for each in lineage.outputs
            ],
        )
        self._client.emit(event)
        if state != START:
            self._client.close()


def _client() -> Any:
    """Open the client, and leave the environment as it was: it writes the key of the API into more variables, which
    every child would get."""
    from openlineage.client import OpenLineageClient

    before = {*os.environ}
    try:
        return OpenLineageClient(transport=_transport(os.environ))
    finally:
        for name in {*os.environ} - before:
            del os.environ[name]


def _transport(environ: Mapping[str, str]) -> Any:
    """Return the transport of OPENLINEAGE_URL alone, for which the client would make six attempts in 9 seconds, at each
    event; None where other variables say more."""
    url, key = environ.get("OPENLINEAGE_URL"), environ.get("OPENLINEAGE_API_KEY")
    if not url or any(name.startswith(("OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT")) for name in environ):
        return None
    from openlineage.client.transport.http import HttpConfig, HttpTransport

    given: dict[str, Any] = {"url": url, "timeout": SECONDS, "retry": {"total": RETRIES, "connect": RETRIES}}
    given |= {"endpoint": environ["OPENLINEAGE_ENDPOINT"]} if environ.get("OPENLINEAGE_ENDPOINT") else {}
    given |= {"auth": {"type": "api_key", "apiKey": key}} if key else {}
    return HttpTransport(HttpConfig.from_dict(given))


def _facets(dataset: LineageDataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset, schema_dataset

    facets: dict[str, Any] = {}
    if dataset.version:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(dataset.version)
    if dataset.fields:
        fields = [schema_dataset.SchemaDatasetFacetFields(name, kind) for name, kind in dataset.fields]
        facets["schema"] = schema_dataset.SchemaDatasetFacet(fields)
    return facets
