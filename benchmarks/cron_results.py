"""Figures of `benchmarks.cron`: the loop beside a rival on one table, their page, and the file they are kept in."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Literal

from releve.adapters.files import write_document
from releve.core.documents import DocumentPart, parse_document
from releve.core.errors import BadInput
from releve.domain.backtest.variants import CRON
from releve.domain.evaluation.intervals import Interval, format_interval

LEVEL = 0.05
WIDTH = 1.96  # standard errors on either side of a 95% interval
HEAD = (
    "| table | beside | metric | its score | loop | gain | the task's own metric: its, loop | "
    "fits, CPU s: its, loop | its fits | refreshes, refused, rolled back |"
)
RULE = "|---" * HEAD.count(" |") + "|"
COST_HEAD = (
    "| one corrupted window | lost by it: cron job | loop | share | lost all the same: cron job, loop |\n"
    "|---|---|---|---|---|"
)


class Way(StrEnum):
    """What is done to a table before it is played."""

    CLEAN = "clean"
    CORRUPTED = "corrupted"
    SHUFFLED = "shuffled"


class Beside(DocumentPart):
    """The loop beside a rival on one table, judged by the truth. Pairs are the rival's and the loop's."""

    table: str
    way: Way
    corrupted: int | None  # number of the window
    rival: str
    metric: str
    sign: int
    theirs: float
    loop: float
    gain: Interval
    own: tuple[float, float]  # by the task's own metric
    seconds: tuple[float, float]  # CPU of the fits, as if played alone
    fits: int  # of the rival
    refreshes: int
    refused: int
    rolled_back: int

    @property
    def name(self) -> str:
        window = "" if self.corrupted is None else f" in window {self.corrupted}"
        return self.table if self.way == Way.CLEAN else f"{self.table}, {self.way}{window}"

    @property
    def p(self) -> float:
        """Compute the two-sided p-value of no gain, of a normal that is as wide as the 95% interval."""
        error = (self.gain.high - self.gain.low) / (2 * WIDTH)
        return math.erfc(abs(self.gain.value) / error / math.sqrt(2)) if error else float(self.gain.value == 0)


class Figures(DocumentPart):
    """What one run found, as it is kept."""

    format: Literal[1] = 1
    results: tuple[Beside, ...]


def write(path: Path, found: Sequence[Beside]) -> None:
    """Keep what was found."""
    write_document(path, Figures(results=tuple(found)))


def read(paths: Sequence[Path]) -> list[Beside]:
    """Read what runs found. Raises BadInput where a file is none of these, or two hold the same comparison."""
    found: dict[tuple[str, str], tuple[Beside, Path]] = {}
    for path in paths:
        for each in parse_document(path.read_bytes(), Figures, source=str(path), remedy="play it again").results:
            _, first = found.setdefault((each.name, each.rival), (each, path))
            if first != path:
                raise BadInput(f"{first} and {path} both hold {each.name} beside the {each.rival}; name one of them")
    return [each for each, _ in found.values()]


def by_holm(found: Sequence[Beside]) -> list[str]:
    """Say of each comparison what is shown by Holm's correction over all with the same rival: better, worse, level."""
    verdicts = ["level"] * len(found)
    families: dict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(found):
        families[each.rival].append(place)
    for family in families.values():
        for rank, place in enumerate(sorted(family, key=lambda place: found[place].p)):
            if found[place].p > LEVEL / (len(family) - rank):
                break
            verdicts[place] = "better" if found[place].gain.value > 0 else "worse"
    return verdicts


def page(found: Sequence[Beside], verdicts: Sequence[str]) -> str:
    """Write the table with what Holm's correction leaves, then what corrupted windows cost."""
    rows = [f"{line(each)} {verdict} |" for each, verdict in zip(found, verdicts, strict=True)]
    costs = list(cost_lines(found))
    return "\n".join([f"{HEAD} by Holm |", f"{RULE}---|", *rows, *(["", COST_HEAD, *costs] if costs else [])])


def line(each: Beside) -> str:
    """Write a row of the table, but for its last cell."""
    their_seconds, loop_seconds = each.seconds
    return (
        f"| {each.name} | {each.rival} | {each.metric} | {each.theirs:.4g} | {each.loop:.4g} | "
        f"{format_interval(each.gain)} | {each.own[0]:.4g}, {each.own[1]:.4g} | {their_seconds:.1f}, "
        f"{loop_seconds:.1f} ({loop_seconds / max(their_seconds, 1e-9):.1f} times) | {each.fits} | "
        f"{each.refreshes}, {each.refused}, {each.rolled_back} |"
    )


def cost_lines(found: Sequence[Beside]) -> Iterator[str]:
    """Write what each corrupted window cost, where the table was played without it too."""
    beside_cron = [each for each in found if each.rival == CRON.name]
    clean = {each.table: each for each in beside_cron if each.way == Way.CLEAN}
    for each in beside_cron:
        if each.way != Way.CORRUPTED or each.table not in clean:
            continue
        whole = clean[each.table]
        theirs, mine = whole.sign * (whole.theirs - each.theirs), whole.sign * (whole.loop - each.loop)
        share = f"{mine / theirs:.2f}" if theirs > 0 else "the cron job lost nothing"
        yield f"| {each.name} | {theirs:.4g} | {mine:.4g} | {share} | {each.theirs:.4g}, {each.loop:.4g} |"
