"""Check a server: python -m conformance.oip http://127.0.0.1:3000 --model digits."""

import argparse
import json
import sys
from pathlib import Path

import httpx

from conformance.oip import report
from conformance.oip.check import FAILED, run
from conformance.oip.server import CannotStart, InferenceServer, choose_model

SECONDS = 30.0  # per request
ONE_REQUEST_EACH = httpx.Limits(
    max_keepalive_connections=0
)  # a connection that a fault broke is no other check's fault


def main(arguments: list[str] | None = None) -> int:
    """Print the table. Return 0 when no check failed, 1 when one did, 2 when the server could not be asked."""
    parser = argparse.ArgumentParser(prog="python -m conformance.oip", description=__doc__)
    parser.add_argument("url", help="of the server, without /v2")
    parser.add_argument("--model", help="its name; without, the first that the repository index calls ready")
    parser.add_argument("--request", type=Path, help="a JSON inference request that the model answers")
    parser.add_argument(
        "--control", action="store_true", help="ask to load the model, too, which may change what serves"
    )
    parser.add_argument("--token", help="sent as a bearer token")
    parser.add_argument("--json", type=Path, help="write the results to this file, too")
    parser.add_argument("--verbose", action="store_true", help="show the sentences of checks that passed, too")
    given = parser.parse_args(arguments)
    headers = {"authorization": f"Bearer {given.token}"} if given.token else {}
    try:
        with httpx.Client(
            base_url=given.url.rstrip("/"), headers=headers, timeout=SECONDS, limits=ONE_REQUEST_EACH, trust_env=False
        ) as client:
            client.get("/v2/health/live")  # whether it is there at all
            model = given.model or choose_model(client)
            example = json.loads(given.request.read_text()) if given.request else None
            results = list(run(InferenceServer(client, model, example=example, control=given.control)))
    except (CannotStart, OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        print(f"error: {given.url} cannot be checked: {error}", file=sys.stderr)
        return 2
    print(f"Open Inference Protocol v2: the model {model} at {given.url}\n")
    print(report.as_table(results, verbose=given.verbose))
    if given.json:
        given.json.write_text(json.dumps(report.as_json(results, url=given.url, model=model), indent=1) + "\n")
    return int(any(result.outcome == FAILED for result in results))


if __name__ == "__main__":
    sys.exit(main())
