"""Ask a running service in Python: python client.py http://127.0.0.1:3000 digits ../one_digit.json 8"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx


class ReleveError(Exception):
    """What the service refused, in its own words."""


class Client:
    """One scenario of a service."""

    def __init__(self, address: str, scenario: str):
        token = os.environ.get("RELEVE_TOKEN", "")  # none is needed on loopback
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=f"{address}/scenarios/{scenario}/", headers=headers, timeout=30)

    def post(self, path: str, body: Any) -> dict[str, Any]:
        """Send JSON, and return what is answered. Raises ReleveError."""
        response = self._http.post(path, json=body)
        answer: dict[str, Any] = response.json()
        if response.is_error:
            error = answer["error"]
            raise ReleveError(f"{response.status_code} {error['code']}: {error['message']}")
        return answer


def main(address: str, scenario: str, file: str, label: str) -> None:
    """Predict the rows of a file, find their neighbours, say what was right, and get something wrong."""
    client = Client(address, scenario)
    rows = json.loads(Path(file).read_text())["rows"]
    answer = client.post("predict", {"rows": rows})
    first = answer["predictions"][0]
    print(f"predicted {first.get('label', first.get('value'))} by {answer['model_version']}")

    found = client.post("search", {"row": rows[0], "limit": 3})
    print(f"neighbours {len(found['neighbours'])}")

    # the true label, once it is known
    accepted = client.post("feedback", {"labels": [{"id": first["id"], "label": json.loads(label)}]})["accepted"]
    print(f"accepted {accepted}")
    try:
        client.post("predict", {"rows": []})
    except ReleveError as error:
        print(f"refused {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
