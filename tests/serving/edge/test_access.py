"""Tokens, roles and rates; and a service that others could reach without any."""

import asyncio
import os
import subprocess
import sys

import httpx
import pytest

from releve.core.errors import BadInput
from releve.serving.application import Application
from releve.serving.edge.access import Access, asked_hosts
from releve.serving.faults import Fault, Forbidden, TooManyRequests, Unauthorised, native_error
from releve.serving.routes import Reply, Role, Route
from tests.factories import PROJECT
from tests.serving.process import free_port

READ, LABEL, OPERATE = ("read-0123456789ab", "label-0123456789ab", "operate-0123456789ab")
TOKENS = {Role.READ: READ, Role.LABEL: LABEL, Role.OPERATE: OPERATE}


@pytest.mark.parametrize(
    ("sent", "role", "fault"),
    [
        (f"Bearer {READ}", Role.READ, None),
        (f"bearer {READ}", Role.READ, None),
        (f"Bearer {OPERATE}", Role.READ, None),
        (f"Bearer {LABEL}", Role.LABEL, None),
        (f"Bearer {READ}", Role.LABEL, Forbidden),
        (f"Bearer {LABEL}", Role.OPERATE, Forbidden),
        ("", Role.READ, Unauthorised),
        (f"Bearer {READ}x", Role.READ, Unauthorised),
        (f"Bearer {READ[:-1]}", Role.READ, Unauthorised),
        ("Bearer \xe9", Role.READ, Unauthorised),
        ("\u20ac", Role.READ, Unauthorised),
        ("", Role.ANYONE, None),
    ],
)
def test_a_token_opens_its_role_and_those_before_it(sent: str, role: Role, fault: type[Fault] | None):
    access = Access(TOKENS)

    if fault is None:
        access.check(role, sent)
    else:
        with pytest.raises(fault):
            access.check(role, sent)


def test_without_tokens_everybody_may_ask():
    Access({}).check(Role.OPERATE, "")


def test_a_rate_bounds_each_token_by_itself():
    now = [0.0]
    access = Access(TOKENS, rate=2, clock=lambda: now[0])

    def refused(token: str) -> bool:
        try:
            access.check(Role.READ, f"Bearer {token}")
        except TooManyRequests:
            return True
        return False

    at_once = [refused(READ) for _ in range(3)]
    other = refused(LABEL)
    now[0] = 0.5
    half_a_second_later = [refused(READ) for _ in range(2)]

    assert (at_once, other, half_a_second_later) == ([False, False, True], False, [False, True])


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        ({Role.READ: "short"}, "RELEVE_TOKEN_READ is no token: expected at least 16"),
        ({Role.LABEL: "with a space in the middle"}, "RELEVE_TOKEN_LABEL is no token"),
        ({Role.READ: "no;cookie-may-hold-this"}, "RELEVE_TOKEN_READ is no token"),
        ({Role.READ: 'no"cookie-may-hold-this'}, "RELEVE_TOKEN_READ is no token"),
        ({Role.READ: "a-t\u00f6ken-of-other-letters"}, "RELEVE_TOKEN_READ is no token"),
        ({Role.READ: READ, Role.OPERATE: READ}, "are the same; make each anew"),
    ],
)
def test_a_weak_token_is_refused_and_not_repeated(tokens: dict[Role, str], says: str):
    with pytest.raises(BadInput, match=says) as refused:
        Access(tokens)

    assert not any(token in str(refused.value) for token in tokens.values())


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_an_address_that_others_reach_needs_tokens(address: str):
    Access(TOKENS).check_addresses([address])
    with pytest.raises(BadInput, match="no token is set"):
        Access({}).check_addresses(["127.0.0.1", address])


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_alone_needs_none(address: str):
    Access({}).check_addresses([address])


@pytest.mark.parametrize(
    ("arguments", "environ", "hosts"),
    [
        (["bentoml", "serve", "service:Releve"], {}, []),
        (["bentoml", "serve", "--host", "0.0.0.0", "service:Releve"], {}, ["0.0.0.0"]),
        (["bentoml", "serve", "--host=::"], {"BENTOML_HOST": "10.0.0.1"}, ["::"]),
        (["bentoml", "serve"], {"BENTOML_HOST": "10.0.0.1"}, ["10.0.0.1"]),
        (["worker/service.py", "--fd", "7"], {"BENTOML_HOST": "10.0.0.1"}, []),
    ],
)
def test_where_bentoml_was_told_to_listen_is_known(arguments: list[str], environ: dict[str, str], hosts: list[str]):
    assert asked_hosts(arguments, environ) == hosts


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_service_that_others_could_reach_does_not_start_without_tokens(how: str):
    told = ["--host", "0.0.0.0"] if how == "option" else []
    environ = {**os.environ, "BENTOML_DO_NOT_TRACK": "True"} | ({} if told else {"BENTOML_HOST": "0.0.0.0"})
    command = [sys.executable, "-m", "bentoml", "serve", "service:Releve", "--port", str(free_port()), *told]

    run = subprocess.run(command, cwd=PROJECT, env=environ, capture_output=True, text=True, timeout=60)

    assert run.returncode != 0
    assert "the service would listen on 0.0.0.0, where others can reach it, and no token is set" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr


async def asked(path: str, token: str) -> httpx.Response:
    application = Application(Access(TOKENS))
    roles = {"/read": Role.READ, "/operate": Role.OPERATE, "/ready": Role.ANYONE}
    application.offer(
        Route("GET", each, lambda _: Reply(200, b""), native_error, role=role) for each, role in roles.items()
    )

    async def inner(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    application.put_around(inner)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://here") as client:
        answer = await client.get(path, headers=headers)
    application.close()
    return answer


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/read", "", 401),
        ("/read", READ, 200),
        ("/operate", READ, 403),
        ("/operate", OPERATE, 200),
        ("/ready", "", 200),
        ("/metrics", "", 401),
        ("/metrics", READ, 299),
        ("/livez", "", 299),
        ("/nothing", "", 404),
    ],
)
def test_every_route_asks_for_the_token_of_its_role(path: str, token: str, status: int):
    answer = asyncio.run(asked(path, token))

    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)
