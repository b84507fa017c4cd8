"""Who may ask: a token per role, where tokens are set, and how often."""

import hmac
import ipaddress
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

import psutil

from releve.core.errors import BadInput
from releve.core.settings import Settings
from releve.serving.faults import Forbidden, TooManyRequests, Unauthorised
from releve.serving.routes import Role

OPENS = {
    Role.READ: {Role.READ},
    Role.LABEL: {Role.READ, Role.LABEL},
    Role.EXPLAIN: {Role.READ, Role.EXPLAIN},
    Role.OPERATE: {Role.READ, Role.LABEL, Role.EXPLAIN, Role.OPERATE},
}  # by the role of a token
SHORTEST = 16  # characters of a token: nobody guesses it
SCHEME = "bearer "
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750; a cookie holds these as they are, too


class Access:
    """The tokens of a service. Without any, everybody may ask everything: fit for the loopback alone."""

    def __init__(
        self, tokens: Mapping[Role, str], *, rate: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`rate`: requests a second per token in this process, 0 for no limit. Raises BadInput for a weak token."""
        self._tokens = [(role, token.encode()) for role, token in tokens.items() if token]
        self._buckets = {role: _Bucket(rate, clock) for role, _ in self._tokens} if rate else {}
        for role, token in self._tokens:
            if len(token) < SHORTEST or not TOKEN.fullmatch(token.decode()):
                raise BadInput(
                    f"RELEVE_TOKEN_{role.upper()} is no token: expected at least {SHORTEST} letters, digits and "
                    "characters of -._~+/, such as `openssl rand -hex 24` makes"
                )
        if len({token for _, token in self._tokens}) < len(self._tokens):
            raise BadInput(f"two of {variables('and')} are the same; make each anew")

    @classmethod
    def of(cls, settings: Settings) -> "Access":
        """What the environment sets. Raises BadInput."""
        given = (settings.token_read, settings.token_label, settings.token_explain, settings.token_operate)
        return cls(dict(zip(OPENS, given, strict=True)), rate=settings.token_rate)

    @property
    def is_open(self) -> bool:
        """Whether everybody may ask."""
        return not self._tokens

    def check(self, role: Role, authorization: str) -> None:
        """Raise Unauthorised, Forbidden or TooManyRequests unless the header's token opens `role` now."""
        if not self._tokens or role is Role.ANYONE:
            return
        held = self.role_of(authorization)
        if held is None:
            raise Unauthorised(role)
        if role not in OPENS[held]:
            raise Forbidden(held, role)
        if self._buckets and not self._buckets[held].take():
            raise TooManyRequests

    def role_of(self, authorization: str) -> Role | None:
        """The role whose token this is, None for nobody's; it costs nothing of the token's rate."""
        sent, held = without_scheme(authorization).encode(), None
        for own, token in self._tokens:  # all of them, each in constant time: how long it takes tells nothing
            if hmac.compare_digest(sent, token):
                held = own
        return held

    def check_addresses(self, addresses: Iterable[str]) -> None:
        """Raise BadInput where others than this machine could ask and no token is set."""
        outside = [each for each in addresses if not is_loopback(each)]
        if outside and self.is_open:
            raise BadInput(
                f"the service would listen on {outside[0]}, where others can reach it, and no token is set: set "
                f"{variables('or')}, or listen on 127.0.0.1"
            )


class _Bucket:
    """A token bucket: a second's worth of requests at once, refilled evenly."""

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._left, self._at = float(rate), clock()

    def take(self) -> bool:
        now = self._clock()
        self._left, self._at = min(self._rate, self._left + (now - self._at) * self._rate), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def variables(word: str) -> str:
    """List the variables of the environment that hold tokens, with `word` before the last."""
    *names, last = (f"RELEVE_TOKEN_{role.upper()}" for role in OPENS)
    return f"{', '.join(names)} {word} {last}"


def without_scheme(authorization: str) -> str:
    """The token of an Authorization header, or of whoever typed all of it in."""
    return authorization[len(SCHEME) :] if authorization[: len(SCHEME)].lower() == SCHEME else authorization


def asked_hosts(arguments: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The addresses that `bentoml serve` was told to listen on; none where it goes by service.py, or is a worker."""
    if "serve" not in arguments:
        return []
    hosts = [value for name, value in pairwise(arguments) if name == "--host"]
    hosts += [each.removeprefix("--host=") for each in arguments if each.startswith("--host=")]
    return hosts or [host for host in (environ.get("BENTOML_HOST"),) if host]


def listening_addresses() -> list[str]:
    """The addresses of this process's sockets that wait for clients."""
    return [each.laddr.ip for each in psutil.Process().net_connections("tcp") if each.laddr and not each.raddr]


def is_loopback(address: str) -> bool:
    """Whether an address, or a name, is this machine's own for certain."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
