"""A table is scored to the same bytes in this process, in processes of this machine, and on a Dask cluster."""

from hashlib import sha256
from pathlib import Path

import pytest

from tests.clusters import Cluster
from tests.tasks.scoring.conftest import Scored, order_rows


@pytest.mark.whole
@pytest.mark.usefixtures("small_parts")
def test_processes_and_a_cluster_write_the_bytes_that_this_process_writes(
    shop: Scored, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.scoring.parts.WORTH_SECONDS", 0.0)
    frame = order_rows(1000, seed=3).astype({"price": object})
    frame.loc[::50, "price"] = "much"
    path = shop.put("orders.csv", frame)

    one = shop.score(path, shop.root / "one")
    shop.edit("workers: 1", "workers: 2")
    shop.score(path, shop.root / "two")
    shop.edit("workers: 2", f"address: {cluster.address}")
    shop.score(path, shop.root / "dask")

    assert (one.manifest.answered, one.manifest.rejected) == (980, 20)
    assert len(digests(shop.root / "one")) == 20
    assert digests(shop.root / "one") == digests(shop.root / "two") == digests(shop.root / "dask")


def digests(folder: Path) -> dict[str, str]:
    parts = folder.rglob("part-*")
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in parts}
