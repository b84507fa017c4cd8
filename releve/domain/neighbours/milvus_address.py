"""Where Milvus is, in the forms we accept. Names no secret: a token travels beside the address."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from releve.core.errors import BadInput

EMBEDDED = ".db"  # a path with this ending is a folder that this process opens itself


def check_milvus_uri(uri: str, token: str = "") -> str:
    """Return `uri` unchanged. Raises BadInput for an unknown form, or a token that would travel unencrypted."""
    if uri.endswith(EMBEDDED) and "://" not in uri:
        return uri
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"the Milvus address {parts.hostname or uri!r} is not a path ending in .db, http:// or https://")
    if parts.username or parts.password:
        raise BadInput(f"the Milvus address of {parts.hostname} holds a password; put it into MILVUS_TOKEN instead")
    if token and parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise BadInput(f"MILVUS_TOKEN would travel unencrypted to {parts.hostname}; use https:// or no token")
    return uri


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
