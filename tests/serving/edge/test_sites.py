"""What a browser is made to send by another site's page is refused; programs go on as ever."""

import asyncio
from collections.abc import Mapping

import pytest

from releve.serving.application import Application
from releve.serving.edge.access import Access
from releve.serving.faults import native_error
from releve.serving.routes import Reply, Request, Role, Route

TOKEN = "a-token-to-read-with"
FORM = {"content-type": "application/x-www-form-urlencoded"}  # as `curl -d` says


def status(method: str, headers: Mapping[str, str], tokens: Mapping[Role, str] | None = None) -> int:
    application = Application(Access(tokens or {}))
    application.offer(Route(each, "/feedback", lambda _: Reply(200, b""), native_error) for each in ("GET", "POST"))
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    reply = asyncio.run(application.reply(Request(method, "/feedback", {}, b"", sent, b"", "")))
    application.close()
    assert reply is not None
    return reply.status


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "null"},
    ],
)
def test_another_sites_page_can_write_nothing_and_a_link_to_here_works(headers: dict[str, str]):
    sent = {"host": "127.0.0.1:3000", "content-type": "text/plain", **headers}
    signed = {"authorization": f"Bearer {TOKEN}"}

    assert status("POST", sent) == status("POST", sent | signed, {Role.READ: TOKEN}) == 403
    assert status("GET", sent) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_program_and_a_page_of_this_service_can(headers: dict[str, str]):
    assert status("POST", {"host": "127.0.0.1:3000", **FORM, **headers}) == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "10.0.0.1", "[", "@"])
def test_without_tokens_a_name_that_was_bent_to_this_machine_is_refused(host: str):
    assert status("GET", {"host": host}) == status("POST", {"host": host}) == 403
    assert status("GET", {"host": host, "authorization": f"Bearer {TOKEN}"}, {Role.READ: TOKEN}) == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:3000", "127.0.0.1", "127.0.0.1:3000", "[::1]", "[::1]:3000"])
def test_every_name_of_the_loopback_is_its_own(host: str):
    assert status("GET", {"host": host}) == 200


def test_what_is_bentomls_asks_for_its_own_host_too():
    application, handed, answers = Application(), list[str](), list[int]()

    async def inner(scope, receive, send) -> None:
        handed.append(scope["path"])

    async def send(message) -> None:
        answers.append(message.get("status"))

    async def ask(host: bytes) -> None:
        scope = {"path": "/metrics", "method": "GET", "query_string": b"", "headers": [(b"host", host)]}
        await application(scope, None, send)

    application.put_around(inner)
    asyncio.run(ask(b"evil.example"))
    assert (handed, answers[0]) == ([], 403)
    asyncio.run(ask(b"localhost:3000"))
    application.close()
    assert handed == ["/metrics"]
