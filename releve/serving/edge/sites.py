"""What a page of another site makes a browser send: programs send none of these headers, and are never refused."""

from functools import lru_cache
from urllib.parse import urlsplit

from releve.serving.edge.access import is_loopback, variables
from releve.serving.faults import Fault
from releve.serving.routes import Request


class OtherSite(Fault):
    """A page of another site sent this."""

    code, status = "other_site", 403

    def __init__(self) -> None:
        super().__init__("this was sent by a page of another site; open the page here and send it again")


class OtherHost(Fault):
    """A name that is not this machine's own: another site's page may have had it point here (DNS rebinding)."""

    code, status = "other_host", 403

    def __init__(self) -> None:
        super().__init__(
            "without tokens this service is asked as localhost or 127.0.0.1; to ask it by another name, set "
            f"{variables('and')}"
        )


def check_same_site(request: Request) -> None:
    """Raise OtherSite where a browser says that another site's page sent this."""
    check_site(request.header(b"sec-fetch-site"), request.header(b"origin"), request.header(b"host"))


def check_site(site: str, origin: str, host: str) -> None:
    """Raise OtherSite where these headers, "" for one that was not sent, are of another site's page."""
    if site not in ("", "same-origin", "none"):
        raise OtherSite
    if not site and origin and origin.partition("://")[2] != host:
        raise OtherSite


def check_own_host(request: Request) -> None:
    """Raise OtherHost for a Host that is no name of the loopback, whatever its port; HTTP/1.0 may leave it out."""
    if not _is_own(request.header(b"host")):
        raise OtherHost


@lru_cache(maxsize=16)  # every client of a service sends the same few, and reading one costs 5 us
def _is_own(host: str) -> bool:
    try:
        return not host or is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
