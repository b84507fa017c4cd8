"""The services that benchmarks.serving_speed asks, each an ASGI application around one and the same fitted model.

Every one runs in a process of its own (`python -m benchmarks.serving_rivals NAME FOLDER PORT`). It listens on the port,
and for each line on its standard input, which says how many rows and requests, it answers the CPU seconds of a request
within the process, without sockets.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import orjson

from benchmarks.serving import ask, started
from releve.core.settings import LOOPBACK
from releve.domain.schema.schema import Schema

SCENARIO = "income"
COLUMNS: dict[str, Any] = {
    **{f"number_{place}": {"type": "number", "min": -100, "max": 100} for place in range(14)},
    **{f"name_{place}": {"type": "category", "categories": [f"value {n}" for n in range(8)]} for place in range(12)},
}
SCHEMA = Schema.from_dict({"columns": COLUMNS, "target": {"name": "rich", "classes": ["no", "yes"]}})
ONNX, JOBLIB = "model.onnx", "pipeline.joblib"


def rows(count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Rows without a missing cell: the plain arrays of the rivals know no other."""
    random = np.random.default_rng(seed)
    numbers, names = random.normal(size=(count, 14)).round(4), random.integers(8, size=(count, 12))
    return [
        {f"number_{place}": cell for place, cell in enumerate(one)}
        | {f"name_{place}": f"value {cell}" for place, cell in enumerate(other)}
        for one, other in zip(numbers.tolist(), names.tolist(), strict=True)
    ]


def make_releve(folder: Path) -> Any:
    """This project's service, with everything that it checks and writes."""
    del folder
    import service

    return service.Releve.to_asgi(is_main=True)


def make_starlette(folder: Path) -> Any:
    """The exported model behind the smallest frame that there is."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    answer = _exported(folder)

    async def predict(request: Request) -> Response:
        return Response(answer(await request.body()), media_type="application/json")

    async def nothing(request: Request) -> Response:
        await request.body()
        return Response(b"{}", media_type="application/json")

    return Starlette(routes=[Route("/predict", predict, methods=["POST"]), Route("/noop", nothing, methods=["POST"])])


def make_mounted(folder: Path, *, tracing: bool) -> Any:
    """The same, mounted in a BentoML service."""
    import bentoml

    @bentoml.service(name="mounted", **({} if tracing else {"tracing": {"excluded_urls": ".*"}}))
    class Mounted:
        pass

    return bentoml.asgi_app(make_starlette(folder), path="/")(Mounted).to_asgi(is_main=True)


def make_api(folder: Path, *, tracing: bool) -> Any:
    """A BentoML service whose only method does nothing."""
    del folder
    import bentoml

    @bentoml.service(name="api", **({} if tracing else {"tracing": {"excluded_urls": ".*"}}))
    class Api:
        @bentoml.api
        async def predict(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
            del rows
            return {}

    return Api.to_asgi(is_main=True)


def make_bentoml_frame(folder: Path) -> Any:
    """A BentoML service as its guide has it: a DataFrame in, the pipeline's answer out."""
    import bentoml
    import pandas as pd

    @bentoml.service(name="frame", tracing={"excluded_urls": ".*"})
    class Frame:
        def __init__(self) -> None:
            self.pipeline = joblib.load(folder / JOBLIB)

        @bentoml.api
        def predict(self, rows: pd.DataFrame) -> list[list[float]]:
            answer: list[list[float]] = self.pipeline.predict_proba(rows).tolist()
            return answer

    return Frame.to_asgi(is_main=True)


def make_fastapi(folder: Path) -> Any:
    """FastAPI as its guides have it: rows in, a DataFrame of them, the pipeline's answer out."""
    import fastapi
    import pandas as pd

    app, pipeline = fastapi.FastAPI(), joblib.load(folder / JOBLIB)

    @app.post("/predict")
    def predict(rows: list[dict[str, Any]] = fastapi.Body(embed=True)) -> dict[str, Any]:  # noqa: B008 - its own form
        return {"probabilities": pipeline.predict_proba(pd.DataFrame(rows)).tolist()}

    return app


MAKERS: dict[str, tuple[str, Callable[[Path], Any]]] = {  # by name: the path that is asked, and what makes it
    "Relève": ("/predict", make_releve),
    "BentoML no-op, @api": ("/predict", lambda folder: make_api(folder, tracing=True)),
    "BentoML no-op, @api, no tracing": ("/predict", lambda folder: make_api(folder, tracing=False)),
    "BentoML no-op, mounted": ("/noop", lambda folder: make_mounted(folder, tracing=True)),
    "BentoML no-op, mounted, no tracing": ("/noop", lambda folder: make_mounted(folder, tracing=False)),
    "BentoML + ONNX, mounted, no tracing": ("/predict", lambda folder: make_mounted(folder, tracing=False)),
    "Starlette + ONNX": ("/predict", make_starlette),
    "FastAPI + DataFrame": ("/predict", make_fastapi),
    "BentoML + DataFrame, no tracing": ("/predict", make_bentoml_frame),
}


def _exported(folder: Path) -> Callable[[bytes], bytes]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession((folder / ONNX).read_bytes(), options, providers=["CPUExecutionProvider"])

    def answer(body: bytes) -> bytes:
        sent = orjson.loads(body)["rows"]
        arrays = {
            "numbers": np.array([[row[name] for name in SCHEMA.numbers] for row in sent], dtype=np.float32),
            "categories": np.array([[row[name] for name in SCHEMA.categories] for row in sent], dtype=object),
        }
        return orjson.dumps({"probabilities": session.run(["probabilities"], arrays)[0].tolist()})

    return answer


async def _obey(name: str, folder: Path, port: int) -> None:
    """Serve `name`, and do what standard input says until it ends."""
    import uvicorn

    path, make = MAKERS[name]
    bodies = {count: json.dumps({"rows": rows(count)}).encode() for count in (1, 100, 1000)}
    app = make(folder)
    async with started(app), _listening(uvicorn.Config(app, port=port, host=LOOPBACK, lifespan="off", access_log=False,
                                                       log_level="error")):  # fmt: skip
        while (await ask(app, "POST", path, bodies[1]))[0] != 200:
            await asyncio.sleep(0.1)
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            before = time.process_time()
            for _ in range(asked["requests"]):
                status, answer = await ask(app, "POST", path, bodies[asked["rows"]])
                assert status == 200, answer
            print((time.process_time() - before) / asked["requests"], flush=True)


@asynccontextmanager
async def _listening(config: Any) -> AsyncIterator[None]:
    import uvicorn

    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield
    server.should_exit = True
    await running


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import uvloop  # as BentoML's workers run

    uvloop.run(_obey(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
