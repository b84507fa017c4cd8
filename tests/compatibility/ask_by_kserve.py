"""Run by an environment that has kserve: asks a served model and prints what it understood, as JSON."""

import asyncio
import json
import sys

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig


async def ask(url: str) -> dict:
    """Ask in JSON and in binary."""
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=1))
    found = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model_ready": await client.is_model_ready(url, "numbers"),
        "unknown_ready": await client.is_model_ready(url, "nobody"),
    }
    matrix = np.array([[1.0, 2.0, 0.0], [9.0, 0.0, 0.05]])
    for form in ("json", "binary"):
        given = InferInput("features", list(matrix.shape), "FP64")
        given.set_data_from_numpy(matrix, binary_data=form == "binary")
        parameters = {"binary_data_output": True} if form == "binary" else None
        request = InferRequest("numbers", [given], request_id="k-1", parameters=parameters)
        answer = await client.infer(url, request, model_name="numbers")
        found[form] = {
            "id": answer.id,
            "model": answer.model_name,
            "label": [_text(value) for value in answer.outputs[0].as_numpy().flatten()],
            "probabilities": answer.outputs[1].as_numpy().round(4).tolist(),
        }
    try:
        wrong = InferInput("features", [1, 2], "FP64", data=[1.0, 2.0])
        await client.infer(url, InferRequest("numbers", [wrong]), model_name="numbers")
    except httpx.HTTPStatusError as error:
        found["error"] = str(error)
    await client.close()
    return found


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(sys.argv[1]))))
