"""A real HTTP server at the other end, or nobody."""

import ssl
import subprocess
from pathlib import Path

import pytest

from releve.adapters.http.webhook import MessageRefused, WebhookAway, post
from releve.core.settings import LOOPBACK
from tests.receivers import SECRET, Receiver, receiving
from tests.serving.process import free_port

MESSAGE = {"text": "churn: the table drifted", "reasons": ["Größe"]}
QUICK = (0.01, 0.01)


def test_the_message_arrives_as_json_and_no_log_holds_the_address(caplog):
    caplog.set_level("DEBUG")
    with receiving(Receiver()) as receiver:
        post(receiver.url, MESSAGE)

    assert receiver.heard == [(f"/hooks/{SECRET}", MESSAGE)]
    assert SECRET not in caplog.text


@pytest.mark.parametrize("status", [500, 503, 408, 425, 429])
def test_a_receiver_that_is_broken_is_asked_three_times(status):
    with receiving(Receiver(status, status)) as recovers, receiving(Receiver(*[status] * 3)) as stays:
        post(recovers.url, MESSAGE, waits=QUICK)
        with pytest.raises(WebhookAway, match=f"^the webhook answered with {status}$"):
            post(stays.url, MESSAGE, waits=QUICK)

    assert len(recovers.heard) == len(stays.heard) == 3


@pytest.mark.parametrize("status", [400, 404, 301, 302, 307])
def test_a_refusal_or_a_redirect_is_final(status):
    with receiving(Receiver(status)) as receiver, pytest.raises(MessageRefused, match=f"answered with {status}$"):
        post(receiver.url, MESSAGE, waits=QUICK)

    assert len(receiver.heard) == 1


def test_a_receiver_that_does_not_answer_is_given_up():
    with (
        receiving(Receiver(delay=0.5)) as receiver,
        pytest.raises(WebhookAway, match=r"not reached: TimeoutError$"),
    ):
        post(receiver.url, MESSAGE, waits=(0.01,), seconds=0.05)

    assert len(receiver.heard) == 2


def test_nobody_at_the_address_is_told_without_the_address(caplog):
    caplog.set_level("DEBUG")
    url = f"http://{LOOPBACK}:{free_port()}/hooks/{SECRET}"

    with pytest.raises(WebhookAway) as told:
        post(url, MESSAGE, waits=QUICK)

    assert str(told.value) == "the webhook was not reached: ConnectionRefusedError"
    assert told.value.__cause__ is None
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "url",
    ["", "hooks.example/x", "file:///etc/passwd", "ftp://h/x", "https://", "http://[x", "http://h/a b", "http://h/ä"],
)
def test_what_is_no_web_address_is_told_without_repeating_it(url):
    with pytest.raises(WebhookAway, match=r"none that starts with https:// or http:// and names a host$"):
        post(url, MESSAGE, waits=QUICK)


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tmp_path: Path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ("-subj", f"/CN={LOOPBACK}", "-addext", f"subjectAltName=IP:{LOOPBACK}")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject)
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receiver = Receiver()
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)

    with receiving(receiver), pytest.raises(WebhookAway, match="not reached: SSLCertVerificationError"):
        post(receiver.url.replace("http", "https", 1), MESSAGE, waits=())

    assert receiver.heard == []
