"""How many bytes of headers nginx may let through, so that all of them fit into uWSGI's buffer-size, and how many it
takes from an answer: pure.

What does not fit nginx refuses by itself, with 414 or 431; uWSGI would only close the connection, which is 502 and a
second try.
"""

from dataclasses import dataclass

# Its greatest value, and the greatest packet of its protocol.
MOST = 65535
# nginx's own defaults.
_USUAL_COUNT = 4
_USUAL_FIRST = 1024
# What a packet holds beside the bytes of the request: names and lengths of 1,000 headers (7 bytes each more than in the
# request), and the parameters that are not from it.
_RESERVE = 8 * 1024
# Three cookies of the greatest size that browsers keep (4 KB each), and what else an answer has. Chosen.
_ANSWER = 16 * 1024
_PAGE = 4 * 1024
# nginx does not start with large buffers below its connection_pool_size, 512 bytes. uWSGI with less than this serves
# hardly a request; what does not fit is then a 502.
_LEAST = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderBuffers:
    """nginx fills `first` bytes, then `count` buffers of `size`, none of which a line may exceed."""

    first: int
    count: int
    size: int


def header_buffers(header_size: int, buffer_size: int) -> HeaderBuffers:
    """For single headers of up to `header_size` bytes, less where `buffer_size`, uWSGI's, is too small for that.

    Two lines reach the application twice: the request line in REQUEST_URI and in PATH_INFO and QUERY_STRING, and
    Content-Type in CONTENT_TYPE and HTTP_CONTENT_TYPE. Each has at most `size` bytes, and both together are a part of
    the whole. So with W bytes in all W + 2 size must fit, or 2 W, if that is less.
    """
    room = max(_LEAST, min(buffer_size, MOST))
    room -= min(_RESERVE, room // 8)
    # One large buffer at least, and beside it a first one for the other headers.
    size = min(header_size, room // 2 * 3 // 4)
    whole = max(room - 2 * size, room // 2)
    count = min(_USUAL_COUNT, max(1, (whole - _USUAL_FIRST) // size))
    return HeaderBuffers(first=_USUAL_FIRST if count > 1 else min(size, whole - size), count=count, size=size)


def answer_buffer(header_size: int) -> int:
    """Bytes, whole pages, that all headers of an answer must fit into: two of the greatest size that a client may send
    back, and never less than is usual."""
    return max(_ANSWER, -(-2 * header_size // _PAGE) * _PAGE)
