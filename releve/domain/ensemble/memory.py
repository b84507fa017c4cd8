"""What a refresh needs of the one before it: memory.json, beside the fitted members and the forward answers."""

from typing import Literal

from releve.core.documents import DocumentPart
from releve.domain.ensemble.pool import MemberPool
from releve.domain.ensemble.weights import Serves, Weighing
from releve.domain.ensemble.wrong_labels import LeftOut
from releve.domain.evaluation.rolling_origin import Fold


class WindowRecord(DocumentPart):
    """A window whose forward answers are kept, in forward/<start>-<end>.parquet."""

    rows: Fold  # answered: the newest of the window
    learned: int  # rows that members had learned before it
    weights: dict[str, float]  # that they had in the ensemble then; {} where no refresh was made before it

    @property
    def name(self) -> str:
        return f"{self.rows.start:09d}-{self.rows.end:09d}"


class KeptEnsemble(DocumentPart):
    """An older ensemble that is still a member: the weights of its fitted members, kept/<name>.<member>.skops."""

    name: str
    members: dict[str, float]


class Memory(DocumentPart):
    """memory.json of a refresh. A member of the pool that was fitted has a file, members/<file>.skops."""

    format: Literal[1] = 1
    table: str  # sha256 of the table's description: another one starts over
    rows: int  # that are known, the oldest of the table: each one was learned or answered
    learned: int  # of these, the oldest, that members learned; fewer where members were only weighed anew since
    refresh: int  # its number; 1: a first model
    champion: str  # what served the newest window, "" for nothing
    pool: MemberPool
    files: dict[str, str]  # by fitted member; equal fits share one
    kept: tuple[KeptEnsemble, ...]  # oldest first
    plain: str
    weights: dict[str, float]  # of the ensemble, whatever the guard said
    exported: tuple[str, ...]  # members that the model holds, as those with weight when they were fitted
    serves: Serves
    identity: str  # of what the refresh put forward: see `EnsembleDescription`
    windows: tuple[WindowRecord, ...]  # oldest first
    search: str  # the newest search that was run, "" for none
    left_out: tuple[LeftOut, ...] = ()  # rows that were found to be wrong

    @property
    def weighing(self) -> Weighing:
        """Return the weights as they were found; their losses are in ensemble.json."""
        return Weighing(self.weights, self.serves, self.plain, {})

    @property
    def multiplied_out(self) -> dict[str, tuple[str, float]]:
        """Return the file and the weight of each fitted pipeline that the model holds, by its name there.

        As `ensemble.put_together` does: older ensembles are multiplied out, equal fits are one.
        """
        kept, names = {each.name: each for each in self.kept}, dict[str, str]()
        held: dict[str, tuple[str, float]] = {}
        for name in self.exported:
            weight = self.weighing.serving.get(name, 0.0)
            if name in kept:
                held |= {f"{name}.{file}": (f"{name}.{file}", weight * w) for file, w in kept[name].members.items()}
                continue
            first = names.setdefault(self.files[name], name)
            held[first] = (self.files[name], held.get(first, ("", 0.0))[1] + weight)
        return held
