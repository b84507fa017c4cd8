"""Who looks at the page: a browser sends no Authorization by itself, so a token that was typed in stays in a cookie."""

from releve.serving.edge.access import OPENS, Access
from releve.serving.routes import Headers, Request, Role

COOKIE = "releve_token"


def token_of(access: Access, request: Request) -> str:
    """The token that the browser holds, where it opens anything here, else the header's; "" for none."""
    for each in request.header(b"cookie").split(";"):  # by hand: whatever stands beside it costs nobody the token
        name, _, held = each.strip().partition("=")
        if name == COOKIE and access.role_of(held):
            return held
    return request.header(b"authorization")


def may(access: Access, role: Role, request: Request) -> bool:
    """Whether the sender's token opens `role`, where tokens are set; nobody operates where none is."""
    if access.is_open:
        return role is not Role.OPERATE
    held = access.role_of(token_of(access, request))
    return held is not None and role in OPENS[held]


def cookie_of(token: str, request: Request) -> Headers:
    """The header that makes a browser keep the token until it is closed, from this site's own pages only."""
    secure = "; Secure" if request.header(b"x-forwarded-proto") == "https" else ""
    ends = "" if token else "; Max-Age=0"
    return ((b"set-cookie", f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}".encode()),)
