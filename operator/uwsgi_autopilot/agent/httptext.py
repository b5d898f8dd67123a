"""The head of an HTTP request as text, and the bytes of an answer: pure. No request bodies: clients here only read."""

from dataclasses import dataclass
from http import HTTPStatus

# A request for one of our pages takes a few hundred bytes.
MOST_HEAD_BYTES = 8192
END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """keep: the client may send another request on this connection."""

    method: str
    target: str
    keep: bool


def parse_request(head: bytes) -> Request | None:
    """Parse everything before the empty line. None: not HTTP/1.x, or nothing we understand."""
    first, *rest = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return None
    headers = {name.strip().lower(): value.strip().lower() for name, _, value in (line.partition(":") for line in rest)}
    # A body would be taken for the next request: answer this one, and read nothing more from the connection.
    body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    asked = headers.get("connection", "")
    keep = asked == "keep-alive" if words[2] == "HTTP/1.0" else asked != "close"
    return Request(method=words[0], target=words[1], keep=keep and not body)


def answer_bytes(status: int, kind: str, body: bytes, *, keep: bool, head_only: bool = False) -> bytes:
    """`kind`: the content type. head_only: to a HEAD."""
    phrase = HTTPStatus(status).phrase
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"Cache-Control: no-store\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    )
    return head.encode("latin-1") + (b"" if head_only else body)
