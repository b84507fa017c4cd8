"""The ledger's side of a scoring: each request is written once, however often a run is killed and gone on with."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from releve.adapters.prediction_ledger.reader import numbered_requests
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.domain.prediction_log.hidden import HiddenCells
from releve.domain.prediction_log.records import day_of
from releve.domain.scoring.manifest import ScoringManifest, ledger_writer
from tasks.scoring.answers import LedgerRequest


class ScoringLedger:
    """Writes requests in their order, those of finished parts left out; close it."""

    def __init__(
        self, folder: Path, manifest: ScoringManifest, hidden: HiddenCells, clock: Callable[[], datetime]
    ) -> None:
        begun, runs = manifest.begun, manifest.resumed
        earlier = {ledger_writer(begun.output, run) for run in range(runs)}
        self._begun = begun
        self._number = manifest.requests
        self._written = numbered_requests(folder, earlier, since=day_of(begun.at)) if earlier else {}
        self._writer = LedgerWriter(folder, begun.scenario, clock=clock, worker=ledger_writer(begun.output, runs))
        self._writer.hidden = hidden

    def write(self, requests: Sequence[LedgerRequest]) -> list[str]:
        """Write what no earlier run wrote; return the id of every row. Raise BadInput, Unavailable."""
        ids: list[str] = []
        for request in requests:
            written = self._written.get(self._number) or self._writer.answer(
                model=self._begun.model,
                index=self._begun.index,
                rows=request.rows,
                labels=request.labels,
                probabilities=request.probabilities,
                intervals=request.intervals,
                decided=request.decided,
                number=self._number,
            )
            self._number += 1
            ids += [f"{written}.{position}" for position in range(len(request.rows))]
        return ids

    def sync(self) -> None:
        """Have what was written survive a power loss."""
        self._writer.sync()

    def close(self) -> None:
        self._writer.close()
