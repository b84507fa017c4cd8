"""A message posted to a web address as JSON. The address is a secret: it is in no error and in no log.

Certificates are checked against the machine's authorities (SSL_CERT_FILE adds others). A redirect is not followed:
it would turn the POST into a GET, or lead elsewhere.
"""

import json
import time
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from releve.core.errors import BadInput, Unavailable

SCHEMES = ("http", "https")
ANSWER_SECONDS = 5.0  # for a connection, and for each part of the answer
WAITS = (0.5, 2.0)  # seconds before the second and the third attempt
MAY_PASS, FIRST_SERVER_ERROR = (408, 425, 429), 500  # timeout, too early, too many requests


class MessageRefused(BadInput):
    """The receiver answered that it does not take this message; the same attempt would fail again."""

    code = "message_refused"


class WebhookAway(Unavailable):
    """Nobody took the message, at none of the attempts, or the address is none; it may pass, or be mended."""

    code = "webhook_away"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere is an error as any other."""

    def redirect_request(self, *_: Any) -> None:
        """Say no."""


def post(
    url: str, message: Mapping[str, Any], *, waits: tuple[float, ...] = WAITS, seconds: float = ANSWER_SECONDS
) -> None:
    """Send `message`; again after each of `waits` seconds where the receiver is away, slow or broken.

    Raises MessageRefused, WebhookAway.
    """
    request = _request(url, message)
    for wait in (*waits, None):
        try:
            return _send(request, seconds)
        except WebhookAway:
            if wait is None:
                raise
            time.sleep(wait)


def _request(url: str, message: Mapping[str, Any]) -> urllib.request.Request:
    if not _is_address(url):
        raise WebhookAway("the address of the webhook is none that starts with https:// or http:// and names a host")
    content = json.dumps(message, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "releve"}
    return urllib.request.Request(url, data=content, headers=headers, method="POST")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in SCHEMES and bool(parts.hostname) and url.isascii() and url.isprintable() and " " not in url
        )
    except ValueError:
        return False


def _send(request: urllib.request.Request, seconds: float) -> None:
    try:
        urllib.request.build_opener(_NoRedirect).open(request, timeout=seconds).close()
    except HTTPError as error:
        error.close()
        raise _refusal(error.code) from None
    except (OSError, HTTPException, ValueError) as error:  # URLError is an OSError, a timeout too
        raise WebhookAway(f"the webhook was not reached: {_kind(error)}") from None


def _refusal(status: int) -> MessageRefused | WebhookAway:
    said = f"the webhook answered with {status}"
    if status in MAY_PASS or status >= FIRST_SERVER_ERROR:
        return WebhookAway(said)
    return MessageRefused(said)


def _kind(error: Exception) -> str:
    """What went wrong, without its words: they can hold the address."""
    cause = error.reason if isinstance(error, URLError) else error
    return type(cause).__name__ if isinstance(cause, Exception) else "URLError"
