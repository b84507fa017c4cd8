"""Who looks at the page: a browser sends no Authorization by itself, so a token that was typed in stays in a cookie."""

from http.cookies import CookieError, SimpleCookie

from releve.core.errors import ReleveError
from releve.serving.edge.access import Access
from releve.serving.routes import Headers, Request, Role

COOKIE = "releve_token"


def token_of(request: Request) -> str:
    """The token that the browser holds, else the header's; "" for none."""
    try:
        held = SimpleCookie(request.header(b"cookie")).get(COOKIE)
    except CookieError:
        held = None
    return held.value if held else request.header(b"authorization")


def may(access: Access, role: Role, request: Request) -> bool:
    """Whether the sender's token opens `role`, where tokens are set; nobody operates where none is."""
    if access.is_open:
        return role is not Role.OPERATE
    try:
        access.check(role, token_of(request))
    except ReleveError:
        return False
    return True


def cookie_of(token: str, request: Request) -> Headers:
    """The header that makes a browser keep the token until it is closed, from this site's own pages only."""
    secure = "; Secure" if request.header(b"x-forwarded-proto") == "https" else ""
    ends = "" if token else "; Max-Age=0"
    return ((b"set-cookie", f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}".encode()),)
