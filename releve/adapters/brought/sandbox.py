"""The process that tries a foreign model: without the environment's secrets, and with an end of memory and time.

`python -m releve.adapters.brought.sandbox FOLDER` reads what `tried` put there, and writes what it found. It ends with
its parent: nobody writes to its input, which is at its end as soon as the parent is gone.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.adapters.brought.trial import TrialReport, try_model
from releve.adapters.files import read_document, write_bytes, write_document, write_json
from releve.core.errors import BadInput, Unavailable
from releve.domain.brought.mapping import MappingFile
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

WAIT_SECONDS = 600  # on a busy machine
FILE, ROWS, ASKED, GRAPH, REPORT, REFUSAL = "file.onnx", "rows.parquet", "asked.json", "graph.onnx", "report.json", "no"
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")  # of the environment


@dataclass(frozen=True)
class TrialLimits:
    """What the process of a trial may use."""

    memory_bytes: int = 4 * 2**30  # of addresses: the libraries alone take .8 GB of them
    cpu_seconds: int = 120


LIMITS = TrialLimits()


def tried(
    content: bytes, schema: Schema, mapping: MappingFile, rows: "pd.DataFrame", *, limits: TrialLimits = LIMITS
) -> tuple[bytes, TrialReport]:
    """Try a file in a process of its own; return the graph that answers, and the report.

    Raise BadInput with what is wrong, in one sentence; Unavailable where the process could not be started.
    """
    with tempfile.TemporaryDirectory(prefix="releve-trial-") as name:
        folder = Path(name)
        write_bytes(folder / FILE, content)
        rows.to_parquet(folder / ROWS, index=False)
        asked = {"schema": schema.as_dict(), "mapping": mapping.model_dump(mode="json"), "limits": vars(limits)}
        write_json(folder / ASKED, asked)
        code = _run(folder)
        if (folder / REFUSAL).is_file():
            raise BadInput((folder / REFUSAL).read_text(encoding="utf-8"))
        if code or not (folder / REPORT).is_file():
            raise BadInput(_ended(code, limits))
        return (folder / GRAPH).read_bytes(), read_document(folder / REPORT, TrialReport)


def _run(folder: Path) -> int:
    environment = {key: value for key, value in os.environ.items() if key in KEPT} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-I", "-m", "releve.adapters.brought.sandbox", str(folder)]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"the process that tries a model could not be started: {error.strerror}") from None
    try:
        return process.wait(timeout=WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        return -signal.SIGXCPU
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdin:
            process.stdin.close()


def _ended(code: int, limits: TrialLimits) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return (
            f"it was not tried to its end within {limits.cpu_seconds} s of CPU time, or was out of memory; export a "
            "smaller model, or one without loops"
        )
    what = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return f"the process that tried it ended {what}, as onnxruntime does on a graph that is broken; export it again"


def end_with_parent() -> None:
    """Kill this process as soon as its input is at its end; onnxruntime lets other threads run while it computes."""
    with suppress(OSError):
        os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path) -> None:
    """Try the file in `folder`."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    asked: dict[str, Any] = json.loads((folder / ASKED).read_bytes())
    limits = TrialLimits(**asked["limits"])
    for limit, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    import pandas as pd

    schema = Schema.from_dict(asked["schema"])
    try:
        graph, report = try_model(
            (folder / FILE).read_bytes(),
            schema,
            MappingFile.model_validate(asked["mapping"]),
            pd.read_parquet(folder / ROWS),
        )
    except BadInput as problem:
        write_bytes(folder / REFUSAL, str(problem).encode())
    except MemoryError:
        write_bytes(folder / REFUSAL, b"it wants more memory than a model may have; export a smaller one")
    else:
        write_bytes(folder / GRAPH, graph)
        write_document(folder / REPORT, report)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
