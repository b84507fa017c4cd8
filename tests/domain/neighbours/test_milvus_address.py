import pytest

from releve.core.errors import BadInput
from releve.domain.neighbours.milvus_address import check_milvus_uri


@pytest.mark.parametrize(
    ("uri", "token"),
    [
        ("var/milvus/vectors.db", ""),
        ("/var/vectors.db", "token"),
        ("http://milvus.example:19530", ""),
        ("http://127.0.0.1:19530", "token"),
        ("http://127.8.8.8:19530", "token"),
        ("http://[::1]:19530", "token"),
        ("http://localhost:19530", "token"),
        ("https://milvus.example", "token"),
    ],
)
def test_an_address_that_keeps_the_token_safe_is_accepted(uri, token):
    assert check_milvus_uri(uri, token) == uri


@pytest.mark.parametrize("host", ["milvus.example", "10.0.0.1", "128.0.0.1", "localhost.example"])
def test_a_token_does_not_travel_unencrypted(host):
    with pytest.raises(BadInput, match="unencrypted") as caught:
        check_milvus_uri(f"http://{host}:19530", "token-text")

    assert "token-text" not in str(caught.value)


@pytest.mark.parametrize("uri", ["", "vectors", "tcp://127.0.0.1:19530", "http://", "http:///x.db", "file:///x.db"])
def test_an_unknown_form_is_refused(uri):
    with pytest.raises(BadInput, match=r"not a path ending in \.db"):
        check_milvus_uri(uri)


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(BadInput, match="MILVUS_TOKEN") as caught:
        check_milvus_uri("https://someone:hunter2@milvus.example")

    assert "hunter2" not in str(caught.value)
