"""Bodies that a client compressed, within the bounds of those that come as they are."""

import zlib

from releve.core.errors import BadInput, TooLarge
from releve.serving.faults import Fault
from releve.serving.routes import Request

WINDOWS = {"gzip": zlib.MAX_WBITS + 16, "deflate": zlib.MAX_WBITS}  # as zlib tells its formats apart
AS_IT_IS = ("", "identity")


class UnsupportedEncoding(Fault):
    """The body is compressed in a way that is not read here."""

    code, status = "unsupported_encoding", 415
    headers = ((b"accept-encoding", ", ".join(WINDOWS).encode()),)  # RFC 9110, 15.5.16

    def __init__(self) -> None:
        super().__init__(f"send the body with the content-encoding {' or '.join(WINDOWS)}, or as it is, without one")


def encoding_of(request: Request) -> str | None:
    """How the body is compressed, None where it is not. Raises UnsupportedEncoding."""
    encoding = request.header(b"content-encoding").strip().lower()
    if encoding in AS_IT_IS:
        return None
    if encoding not in WINDOWS:
        raise UnsupportedEncoding
    return encoding


def decompressed(body: bytes, encoding: str, most: int) -> bytes:
    """The body as it was; no more of it than `most` bytes is ever made. Raises TooLarge, BadInput."""
    decoder = zlib.decompressobj(WINDOWS[encoding])
    try:
        plain = decoder.decompress(body, most + 1)
    except zlib.error as failure:
        raise BadInput(f"the body is not {encoding}, as its content-encoding says: {failure}") from None
    if len(plain) > most:
        raise TooLarge(f"decompressed, the body has more than {most} bytes, which is the limit here; send less at once")
    if not decoder.eof or decoder.unused_data:
        raise BadInput(f"the body is not one whole {encoding} stream, as its content-encoding says")
    return plain
