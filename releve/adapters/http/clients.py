"""HTTP clients, made in one place: always a timeout, never a redirect, and nothing of an address in a log."""

import logging
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from releve.core.settings import LOOPBACK

if TYPE_CHECKING:
    import httpx

SCHEMES = ("http", "https")
LOCAL_NAMES = (LOOPBACK, "localhost", "::1")


def local_client(port: int, *, seconds: float) -> "httpx.Client":
    """Make a client of a server on this machine, whatever proxy the environment names; close it."""
    return client_of(f"http://{LOOPBACK}:{port}", seconds=seconds)


def client_of(address: str, *, seconds: float) -> "httpx.Client":
    """Make a client of the server at `address`: one on this machine is asked whatever proxy the environment names."""
    import httpx

    _keep_quiet()
    encrypted, here = address.lower().startswith("https:"), urlsplit(address).hostname in LOCAL_NAMES
    no_authorities = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading them takes longer than a whole answer
    return httpx.Client(
        base_url=address,
        timeout=seconds,
        trust_env=not here,
        verify=ssl.create_default_context() if encrypted else no_authorities,
    )


def outside_client(*, seconds: float) -> "httpx.Client":
    """Make a client that checks certificates against the machine's authorities (SSL_CERT_FILE adds others); close it.

    `seconds`: for a connection, and for each part of the answer.
    """
    import httpx

    _keep_quiet()
    return httpx.Client(timeout=seconds, verify=ssl.create_default_context(), headers={"User-Agent": "releve"})


def is_address(url: str) -> bool:
    """Whether it starts with https:// or http:// and names a host, and nobody has to guess at its letters."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in SCHEMES and bool(parts.hostname) and url.isascii() and url.isprintable() and " " not in url
        )
    except ValueError:
        return False


def cause_of(error: Exception) -> str:
    """Name what went wrong, without its message, which can hold the address."""
    cause: BaseException = error
    while (deeper := cause.__cause__ or cause.__context__) is not None:
        cause = deeper
    return type(cause).__name__


def _keep_quiet() -> None:
    """httpx logs every address that it asks, and addresses of webhooks are secrets."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
