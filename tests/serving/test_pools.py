"""Places for whatever waits for one outside system, in threads or on the event loop."""

import asyncio

import pytest

from releve.serving.faults import Overloaded
from releve.serving.pools import CallPool


def test_what_waits_on_the_event_loop_takes_a_place_and_no_thread():
    pool = CallPool("Milvus", threads=1, waiting=1, seconds=5.0)

    async def story() -> tuple[str, str]:
        answered = asyncio.Event()
        waiting = asyncio.create_task(pool.run_here(answered.wait))
        await asyncio.sleep(0)
        in_a_thread = await pool.run(str, "answered")
        second = asyncio.create_task(pool.run_here(answered.wait))
        await asyncio.sleep(0)
        for late in (pool.run(str), pool.run_here(answered.wait)):
            with pytest.raises(Overloaded, match="wait for Milvus"):
                await late
        answered.set()
        await asyncio.gather(waiting, second)
        return in_a_thread, await pool.run(str, "again")

    assert asyncio.run(story()) == ("answered", "again")
    pool.close()


def test_a_place_is_free_again_after_a_failure_on_the_event_loop():
    pool = CallPool("Milvus", threads=1, waiting=0, seconds=5.0)

    async def fail(what: str, *, how: str) -> None:
        raise ValueError(f"{what} {how}")

    for _ in range(2):
        with pytest.raises(ValueError, match="it failed"):
            asyncio.run(pool.run_here(fail, "it", how="failed"))
    pool.close()
