"""Does a newer version of an index lose a search, or a row? Clients search while batches come in, one after the other.

    python -m benchmarks.index_load [--updates 8] [--clients 4]

A real service with Milvus Lite as a server, and what `make ingest` does: each batch brings new rows and corrects the
labels of some old ones, and the release moves to the next version of the index beside the same model. In the end the
index goes back and forth. Every search asks, by a filter, for all rows of one lane. It has to give each row that its
version has of it once, with the label that it had then, and that version has to be one that was current at some moment
of the request. Exits with 1 otherwise.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pandas as pd

from benchmarks.swap_load import HEADERS, Answer, Swap, SwapResult, asking
from releve.adapters.registry.registry import Registry
from releve.core.settings import LOOPBACK, Settings
from releve.serving.native import MAX_NEIGHBOURS
from tasks.ingestion.ingest import ingest
from tasks.release.index_refresh import refresh_index, roll_back_index
from tasks.release.release import release
from tasks.retraining.retrain import retrain
from tests.serving.process import free_port, milvus_serving, serving, wait_until
from tests.tables import SHOP
from tests.tasks.shop import Shop, make_shop, market_rows

FIRST, NEW, CORRECTED = 200, 60, 20  # rows of the release; new and corrected ones of each batch after it
LANES = 7  # rows take turns: one search may ask for MAX_NEIGHBOURS of them, all those of a lane
PAUSE_SECONDS = 0.5  # of load between two moves
BODY = json.dumps(
    {"row": {"kind": "bread", "price": 20.0, "weight": 1.5}, "limit": MAX_NEIGHBOURS, "filters": {"lane": "lane 0"}}
)
OTHER = {"yes": "no", "no": "yes"}

Rows = tuple[tuple[str, str], ...]  # what the table calls each row, and its label, in order


class Table:
    """The rows that have come in, kept apart from what the index makes of them."""

    def __init__(self) -> None:
        self._newest = pd.DataFrame()

    def batch(self, new: int, corrected: int) -> pd.DataFrame:
        """New rows, and rows of before with the other label."""
        known = len(self._newest)
        places = range(known, known + new)
        names, lanes = [f"c-{place:05d}" for place in places], [f"lane {place % LANES}" for place in places]
        frames = [market_rows(new, seed=known).assign(customer=names, lane=lanes)]
        if corrected:
            again = self._newest.sample(corrected, random_state=known)
            frames.append(again.assign(bought=again["bought"].map(OTHER)))
        frame = pd.concat(frames, ignore_index=True)
        self._newest = pd.concat([self._newest, frame]).drop_duplicates("customer", keep="last")
        return frame

    @property
    def rows(self) -> Rows:
        """Those of the lane that is searched."""
        rows = self._newest[self._newest["lane"] == "lane 0"]
        assert len(rows) <= MAX_NEIGHBOURS, "one search can give them all"
        return tuple(sorted(zip(rows["customer"], rows["bought"], strict=True)))


@dataclass(frozen=True)
class SearchAnswer(Answer):
    """One search; `release` is the index that it names."""

    rows: Rows = ()


@dataclass(frozen=True)
class IndexResult(SwapResult):
    """What one run found; `versions`: the rows that each index has."""

    versions: dict[tuple[str, ...], Rows]

    @property
    def wrong(self) -> list[SearchAnswer]:
        """Searches that found other rows than their version has."""
        found = [each for each in self.answers if isinstance(each, SearchAnswer) and each.release]
        return [each for each in found if each.rows != self.versions.get(each.release or ())]


def search(client: httpx.Client, known: dict[Rows, Rows]) -> SearchAnswer:
    """Ask for all rows of the lane. `known`: answers that came before, kept once."""
    start = time.monotonic()
    try:
        response = client.post("/search", content=BODY, headers=HEADERS)
        answer = response.json()
    except (httpx.HTTPError, ValueError) as error:
        return SearchAnswer(start, time.monotonic(), None, repr(error))
    end = time.monotonic()
    if response.status_code != 200:
        return SearchAnswer(start, end, None, f"{response.status_code} {answer}")
    rows = tuple(sorted((each["row_id"], each["label"]) for each in answer["neighbours"]))
    return SearchAnswer(start, end, (answer["index_version"],), rows=known.setdefault(rows, rows))


def run(folder: Path, *, updates: int, clients: int) -> IndexResult:
    """Release a shop in `folder`, load its service, bring `updates` batches in, go back and forth, and stop it."""
    shop, table, known = make_shop(folder / "project"), Table(), dict[Rows, Rows]()
    port = free_port()
    settings = replace(shop.settings, milvus_uri=f"http://{LOOPBACK}:{port}")
    with milvus_serving(folder / "milvus", port):
        begin(shop, settings, table)
        versions = {current(settings): table.rows}
        turns, seen = [(current(settings), time.monotonic())], list[float]()
        with serving(settings.home, shop.root, milvus=port, RELEVE_SCENARIO=SHOP) as address:
            service = int(address.rpartition(":")[2])
            with (
                httpx.Client(base_url=address, timeout=30, trust_env=False) as own,
                asking(service, clients, lambda client: search(client, known)) as answers,
            ):

                def move(change: Callable[[], object]) -> None:
                    time.sleep(PAUSE_SECONDS)
                    before = time.monotonic()
                    change()
                    wanted = current(settings)
                    turns.append((wanted, before))
                    wait_until(lambda: search(own, known).release == wanted, seconds=30)
                    seen.append(time.monotonic())

                wait_until(lambda: search(own, known).release == turns[0][0], seconds=60)
                for number in range(updates):
                    shop.receive(table.batch(NEW, CORRECTED), f"batch-{number}.parquet")
                    ingest(settings, SHOP)
                    move(lambda: refresh_index(settings, SHOP))
                    versions[current(settings)] = table.rows
                for _ in range(2):
                    move(lambda: roll_back_index(settings, SHOP, reason="index load"))
                time.sleep(PAUSE_SECONDS)
    ends = [*seen, float("inf")]
    return IndexResult(
        answers,
        [Swap(key, moved, replaced) for (key, moved), replaced in zip(turns, ends, strict=True)],
        versions,
    )


def begin(shop: Shop, settings: Settings, table: Table) -> None:
    """Release a first model, whose rows have names."""
    named = {"type": "category", "feature": False}
    shop.override(columns={"customer": named, "lane": named}, id="customer", index={"filters": ["lane"]})
    shop.receive(table.batch(FIRST, 0), "first.parquet")
    ingest(settings, SHOP)
    retrain(settings, SHOP, reason="index load")
    release(settings, SHOP)


def current(settings: Settings) -> tuple[str, ...]:
    """Name the index that serves."""
    registry = Registry(settings.registry_url)
    found = registry.current(SHOP)
    registry.close()
    assert found is not None, "it was released"
    return (found.release.index_name,)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Search a service while newer versions of its index come.")
    parser.add_argument("--updates", type=int, default=8)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), updates=options.updates, clients=options.clients)
    print(f"moves               {len(result.turns) - 1}")
    print(f"searches            {len(result.answers)}")
    print(f"failures            {len(result.failures)}")
    print(f"not current         {len(result.strangers)}")
    print(f"other rows          {len(result.wrong)}")
    for (index, *_), count in sorted(Counter(each.release for each in result.answers if each.release).items()):
        print(f"{count:7} found {len(result.versions.get((index,), ())):4} rows of {index}")
    print(f"p50 / p99           {result.quantile(0.5):.1f} / {result.quantile(0.99):.1f} ms")
    for answer in [*result.failures, *result.strangers, *result.wrong][:5]:
        print(f"  {answer.failure or answer}"[:500], file=sys.stderr)
    return 1 if result.failures or result.strangers or result.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
