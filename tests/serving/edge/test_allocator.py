import subprocess
import sys

import pytest

THREADS_ALLOCATE = """
import ctypes, threading
from releve.serving.edge.allocator import share_one_arena
{}
threads = [threading.Thread(target=lambda: bytes(50_000)) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="arenas are glibc's")
@pytest.mark.parametrize(("before", "several"), [("share_one_arena()", False), ("", True)])
def test_threads_have_arenas_of_their_own_unless_they_share_one(before: str, several: bool):
    script = THREADS_ALLOCATE.format(before)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert "Arena 0:" in run.stderr
    assert ("Arena 1:" in run.stderr) == several
