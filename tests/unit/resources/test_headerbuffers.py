"""Whatever nginx lets through fits into uWSGI's buffer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uwsgi_autopilot.resources.headerbuffers import HeaderBuffers, answer_buffer, header_buffers

NAMES = 7  # bytes more than in the request: HTTP_ and two lengths, for a colon and a line break
PARAMETERS = 600


def test_what_nginx_itself_allows_is_allowed():
    assert header_buffers(8 * 1024, 65535) == HeaderBuffers(first=1024, count=4, size=8192)


@pytest.mark.parametrize("size", [1, 4, 8, 12, 14, 16, 20])
def test_no_size_of_the_manifest_is_made_smaller(size):
    assert header_buffers(size * 1024, 65535).size == size * 1024


@pytest.mark.parametrize(
    ("header_size", "pages"),
    [
        pytest.param(1024, 4, id="never less than is usual"),
        pytest.param(8 * 1024, 4, id="the default"),
        pytest.param(9 * 1024, 5, id="whole pages"),
        pytest.param(20 * 1024, 10, id="the greatest"),
    ],
)
def test_an_answer_may_have_twice_the_greatest_header(header_size, pages):
    assert answer_buffer(header_size) == pages * 4096


@given(st.integers(1024, 20 * 1024), st.integers(16384, 65535), st.integers(0, 1000))
def test_all_that_nginx_lets_through_fits(header_size, buffer_size, headers):
    found = header_buffers(header_size, buffer_size)
    whole = found.first + found.count * found.size
    twice = min(whole, 2 * found.size)
    if buffer_size == 65535 or headers < 150:
        assert whole + twice + min(headers, whole // 5) * NAMES + PARAMETERS <= buffer_size
    assert found.count >= 1
    assert found.size >= found.first > 0


@given(st.integers(-1, 2**40), st.integers(0, 2**40))
def test_a_nonsensical_buffer_size_gives_buffers_all_the_same(buffer_size, header_size):
    found = header_buffers(max(1024, header_size), buffer_size)
    assert found.first > 0
    assert found.count > 0
    assert found.size >= 512, "nginx does not start with less"
