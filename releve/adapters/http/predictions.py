"""Predictions of a running service, wherever it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from releve.adapters.http.clients import cause_of, client_of, is_address
from releve.adapters.http.service import TokenRefused
from releve.core.errors import BadInput, Unavailable
from releve.core.formatting import shortened

SECONDS = 30.0
LONGEST = 300  # letters of an error's text


@dataclass(frozen=True)
class ServicePredictions:
    """The labels, or numbers, that one model version answered."""

    model: str
    labels: tuple[Any, ...]


def ask_predictions(
    address: str, scenario: str, rows: Sequence[Mapping[str, Any]], *, token: str = ""
) -> ServicePredictions:
    """Ask `/predict`. Raises BadInput for what is no address or is refused, TokenRefused, Unavailable."""
    import httpx

    if not is_address(address):
        raise BadInput(f"{shortened(address)!r} is no address; expected one such as http://127.0.0.1:3000")
    sent = {"authorization": f"Bearer {token}"} if token else {}
    try:
        with client_of(address.rstrip("/"), seconds=SECONDS) as client:
            answer = client.post(f"/scenarios/{scenario}/predict", json={"rows": list(rows)}, headers=sent)
    except httpx.HTTPError as error:
        raise Unavailable(f"no service answers at {address}: {cause_of(error)}") from None
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise TokenRefused(f"{address} asks for a token: set RELEVE_TOKEN_READ as the service has it")
    try:
        values = answer.json()
        if answer.status_code != httpx.codes.OK:
            wrong = f"{address} answered {answer.status_code}: {values['error']['message']}"
            raise (Unavailable if answer.is_server_error else BadInput)(wrong)
        labels = tuple(each["label"] if "label" in each else each["value"] for each in values["predictions"])
        return ServicePredictions(str(values["model_version"]), labels)
    except (ValueError, KeyError, TypeError):
        text = shortened(answer.text, most=LONGEST)
        raise BadInput(f"{address} answered {answer.status_code}, and not as Relève's service does: {text}") from None
