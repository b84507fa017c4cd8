"""A message posted to a web address as JSON. The address is a secret: it is in no error and in no log.

A redirect is not followed: it would turn the POST into a GET, or lead elsewhere.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from releve.adapters.http.clients import cause_of, is_address, outside_client
from releve.core.errors import BadInput, Unavailable

ANSWER_SECONDS = 5.0  # for a connection, and for each part of the answer
WAITS = (0.5, 2.0)  # seconds before the second and the third attempt
MAY_PASS = (408, 425, 429)  # timeout, too early, too many requests
FIRST_REDIRECT, FIRST_SERVER_ERROR = 300, 500


class MessageRefused(BadInput):
    """The receiver answered that it does not take this message; the same attempt would fail again."""

    code = "message_refused"


class WebhookAway(Unavailable):
    """Nobody took the message, at none of the attempts, or the address is none; it may pass, or be fixed."""

    code = "webhook_away"


def post(
    url: str, message: Mapping[str, Any], *, waits: tuple[float, ...] = WAITS, seconds: float = ANSWER_SECONDS
) -> None:
    """Send `message`; again after each of `waits` seconds where the receiver is away, slow or broken.

    Raises MessageRefused, WebhookAway.
    """
    if not is_address(url):
        raise WebhookAway("the address of the webhook is none that starts with https:// or http:// and names a host")
    content = json.dumps(message, ensure_ascii=False).encode()
    for wait in (*waits, None):
        try:
            return _send(url, content, seconds)
        except WebhookAway:
            if wait is None:
                raise
            time.sleep(wait)


def _send(url: str, content: bytes, seconds: float) -> None:
    import httpx

    headers = {"Content-Type": "application/json; charset=utf-8"}
    try:
        with (
            outside_client(seconds=seconds) as client,
            client.stream("POST", url, content=content, headers=headers) as answer,
        ):
            status = answer.status_code  # whatever else is answered is not read
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
        raise WebhookAway(f"the webhook was not reached: {cause_of(error)}") from None
    if status in MAY_PASS or status >= FIRST_SERVER_ERROR:
        raise WebhookAway(f"the webhook answered with {status}")
    if status >= FIRST_REDIRECT:
        raise MessageRefused(f"the webhook answered with {status}")
