"""The service as an application sees it: three questions over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

ROWS_PER_REQUEST = 30


@dataclass(frozen=True)
class RowAnswer:
    """One row's answer: the id that feedback names, the class or number, and which model gave it."""

    id: str
    label: Any
    model: str


class ServiceCalls:
    """Calls of a running service."""

    def __init__(self, address: str):
        self._client = httpx.Client(base_url=address, timeout=30)

    def ready(self) -> bool:
        """Whether it has a release to answer with."""
        return self._client.get("/readyz").status_code == 200

    def predict(self, rows: Sequence[dict[str, Any]]) -> list[RowAnswer]:
        """Answers in the order of `rows`, asked a few rows at a time."""
        answers = []
        for start in range(0, len(rows), ROWS_PER_REQUEST):
            found = self._post("/predict", {"rows": list(rows[start : start + ROWS_PER_REQUEST])})
            answers += [
                RowAnswer(each["id"], each.get("label", each.get("value")), found["model_version"])
                for each in found["predictions"]
            ]
        return answers

    def feedback(self, answers: Sequence[RowAnswer], labels: Sequence[Any]) -> None:
        """Tell what was right."""
        told = [{"id": answer.id, "label": label} for answer, label in zip(answers, labels, strict=True)]
        self._post("/feedback", {"labels": told})

    def search(self, row: dict[str, Any], *, limit: int) -> list[dict[str, Any]]:
        """The labelled rows nearest to `row`."""
        return list(self._post("/search", {"row": row, "limit": limit})["neighbours"])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = self._client.post(path, json=body)
        response.raise_for_status()
        return dict(response.json())
