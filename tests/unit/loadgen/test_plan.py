"""What a person may write after --load, and what each phase's end is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.loadgen.plan import Arrival, LoadPhase, parse_load, parse_seconds, scheduled


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("clients=64", LoadPhase(clients=64), id="the least closed loop"),
        pytest.param("rate=0.5", LoadPhase(rate=0.5), id="the least open loop"),
        pytest.param(
            "clients=64,path=/io?ms=100&a=b=c",
            LoadPhase(clients=64, path="/io?ms=100&a=b=c"),
            id="a path keeps its ?, & and =",
        ),
        pytest.param(
            "clients=1,path=/a\\,b,header=Accept: text/html\\, */*,header=Cookie: session=1=2",
            LoadPhase(clients=1, path="/a,b", headers=("Accept: text/html, */*", "Cookie: session=1=2")),
            id="headers, and commas inside values",
        ),
        pytest.param(
            'clients=1,body={"q": "tea\\n"\\, "n": 2}',
            LoadPhase(clients=1, method="POST", body='{"q": "tea\\n", "n": 2}'),
            id="a body is posted, and keeps its other backslashes",
        ),
        pytest.param(
            "clients=1,method=PUT,body=@form.txt,header=@session.txt",
            LoadPhase(clients=1, method="PUT", body="@form.txt", headers=("@session.txt",)),
            id="files are named, and not read",
        ),
        pytest.param("clients=1,path=/a%2Cb", LoadPhase(clients=1, path="/a%2Cb"), id="a comma is sent as %2C"),
        pytest.param(
            "rate=200,path=/,from=20s,for=30s",
            LoadPhase(rate=200, begin_s=20, length_s=30),
            id="from and for make a phase",
        ),
        pytest.param(
            "close, clients=2,timeout=500ms", LoadPhase(clients=2, close=True, timeout_s=0.5), id="close has no value"
        ),
        pytest.param("clients=2,retries=3", LoadPhase(clients=2, retries=3), id="clients that ask again"),
        pytest.param(
            "rate=3,arrival=constant,connections=7",
            LoadPhase(rate=3, arrival=Arrival.CONSTANT, connections=7),
            id="evenly spaced over few connections",
        ),
    ],
)
def test_reads(text: str, expected: LoadPhase) -> None:
    assert parse_load(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "expected one of clients, rate", id="nothing"),
        pytest.param("path=/", "expected either clients=N (a closed loop) or rate=R (an open loop), found neither"),
        pytest.param("clients=1,rate=1", "found both"),
        pytest.param("clients=0", "clients: expected a whole number from 1 to 10000, found '0'"),
        pytest.param("clients=1e9", "clients: expected a whole number"),
        pytest.param("clients=\u0663", "clients: expected a whole number", id="digits of another script"),
        pytest.param("clients=1000000000000", "clients: expected a whole number", id="absurdly many clients"),
        pytest.param("rate=0", "rate: expected requests a second, more than 0"),
        pytest.param("rate=nan", "rate: expected requests a second"),
        pytest.param("rate=inf", "rate: expected requests a second"),
        pytest.param("rate=5,rate=6", "rate is given twice"),
        pytest.param("users=5", "expected one of clients, rate, path, method, header, body, from, for, close"),
        pytest.param("clients", "clients: expected clients=VALUE, found 'clients'"),
        pytest.param("clients=1,close=yes", "close: expected no value, found 'close=yes'"),
        pytest.param("clients=1,path=/a,b", "found 'b' (a comma inside a value is written \\,)"),
        pytest.param("clients=1,method=get", "method: expected one of GET, POST, PUT, PATCH, DELETE, found 'get'"),
        pytest.param("clients=1,method=GET,body=x", "body: expected only with another method than GET"),
        pytest.param("clients=1,header=Cookie", "header: expected Name: value, found 'Cookie'"),
        pytest.param("clients=1,header=A: b\r\nC: d", "header: expected printable ASCII in the value of A"),
        pytest.param("clients=1,header=Content-Length: 3", "header: Content-Length follows from the request"),
        pytest.param("clients=1,path=io", "path: expected a path that begins with /, found 'io'"),
        pytest.param("clients=1,path=/a b", "found ' ' (write it as %XX)"),
        pytest.param("clients=1,path=/\r\nX: y", "path: expected printable ASCII", id="a second header line"),
        pytest.param("clients=1,path=/\u00e4", "path: expected printable ASCII"),
        pytest.param("clients=1,path=/a#b", "path: expected printable ASCII without spaces and #"),
        pytest.param("clients=1,from=soon", "from: expected a time such as 30s, 500ms or 2m, found 'soon'"),
        pytest.param("clients=1,for=0s", "for: expected more than 0 seconds"),
        pytest.param("clients=1,for=999999999h", "for: expected at most"),
        pytest.param("clients=1,arrival=poisson", "arrival: expected only together with rate=R"),
        pytest.param("rate=1,arrival=bursts", "arrival: expected poisson or constant, found 'bursts'"),
        pytest.param("rate=1,connections=5000", "connections: expected a whole number from 1 to 4096"),
    ],
)
def test_refuses_with_one_sentence(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_load(text)
    sentence = str(caught.value)
    assert sentence.startswith(f"--load {text}: ")
    assert says in sentence


@given(st.text(max_size=40) | st.from_regex(r"(clients|rate|for|from|timeout)=[0-9a-z.%-]{0,12}", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        phase = parse_load(text)
    except UsageError:
        return
    assert (phase.clients is None) != (phase.rate is None)


@pytest.mark.parametrize(
    ("text", "seconds"), [("20s", 20.0), ("20", 20.0), ("1.5m", 90.0), ("250ms", 0.25), ("2h", 7200.0)]
)
def test_times(text: str, seconds: float) -> None:
    assert parse_seconds(text) == pytest.approx(seconds)


def spans(*texts: str, seconds: float) -> list[tuple[float, float]]:
    return [(phase.begin_s, phase.end_s) for phase in scheduled([parse_load(text) for text in texts], seconds=seconds)]


def test_a_later_phase_ends_one_without_for() -> None:
    assert spans("clients=1", "clients=2,from=20s", seconds=60) == [(0, 20), (20, 60)]


def test_a_later_phase_leaves_one_with_for_running() -> None:
    assert spans("clients=1,for=30s", "rate=2,from=20s,for=5s", seconds=60) == [(0, 30), (20, 25)]


def test_phases_that_begin_together_run_together() -> None:
    assert spans("clients=1", "rate=2", seconds=60) == [(0, 60), (0, 60)]


def test_the_end_of_the_run_ends_everything_and_drops_what_would_begin_later() -> None:
    assert spans("clients=1,for=90s", "clients=2,from=60s", seconds=60) == [(0, 60)]


def test_phases_may_be_given_in_any_order() -> None:
    assert spans("clients=2,from=20s", "clients=1", seconds=60) == [(0, 20), (20, 60)]
