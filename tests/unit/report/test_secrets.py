"""A secret is hidden, what a person needs to understand a failure is not; whatever the text, in one pass."""

import re
import re._constants as opcodes
import re._parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uwsgi_autopilot.report import secrets, secretvalues
from uwsgi_autopilot.report.secrets import masked

HIDDEN = [
    # URLs
    ("cannot connect to postgres://app:hunter2@db/shop", "cannot connect to postgres://app:***@db/shop"),
    ("redis://:hunter2@cache:6379", "redis://:***@cache:6379"),
    ("amqp://u:p/a%40ss:w@mq, then http://x/y", "amqp://u:***@mq, then http://x/y"),
    ("postgres://u:a@b@db/shop", "postgres://u:***@db/shop"),
    ("http://u:12345@db", "http://u:***@db"),
    ("https://x/?next=postgres://u:hunter2@db/", "https://x/?next=postgres://u:***@db/"),
    ("https://0123456789abcdef0123@o1.sentry.example/1", "https://***@o1.sentry.example/1"),
    # pairs in sentences, connection strings and queries
    ("host=db password=hunter2 user=x", "host=db password=*** user=x"),
    ("PWD=hunter2;Server=x", "PWD=***;Server=x"),
    ("/login?token=hunter2&page=2", "/login?token=***&page=2"),
    ("password: hunter2, user: x", "password: ***, user: x"),
    ("password=hun,ter'2 was wrong", "password=*** was wrong"),
    ("DB_PASS=hunter2", "DB_PASS=***"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = ***"),
    ("db.password.value=hunter2", "db.password.value=***"),
    # JSON and Python's
    ('{"password": "hunter2", "user": "x"}', '{"password": "***", "user": "x"}'),
    (r"{\"password\": \"hunter2\", \"user\": \"x\"}", r"{\"password\": \"***\", \"user\": \"x\"}"),
    ('{"token" : "hunter2"}', '{"token" : "***"}'),
    ("{'PASSWORD': 's3 cret', 'api_key': \"k\"}", "{'PASSWORD': '***', 'api_key': \"***\"}"),
    ("credentials={'user': 'x', 'pin': ['1', '}']} here", "credentials={***} here"),
    ("session_cookies: ['a', 'b'] here", "session_cookies: [***] here"),
    # lines of a traceback
    ('    connect(password="hunter2", host="db")', '    connect(password="***", host="db")'),
    ("    connect(password='hun\\'ter2', host='db')", "    connect(password='***', host='db')"),
    ("    connect(password=b'hunter2')", "    connect(password=b'***')"),
    ('    SECRET_KEY = """hun\n"ter2"""\n', '    SECRET_KEY = """***"""\n'),
    ('    os.environ["PASSWORD"] = "hunter2"', '    os.environ["PASSWORD"] = "***"'),
    ('    password: str | None = "hunter2"', '    password: str | None = "***"'),
    ('    if password == "hunter2":', '    if password == "***":'),
    ('    a = password = b = "hunter2"', '    a = password = *** = "***"'),
    ('    get(url, auth=("app", "hunter2"))', "    get(url, auth=(***))"),
    ('    os.environ.get("PASSWORD", "hunter2")', '    os.environ.get("PASSWORD", "***")'),
    # headers and command lines
    ("Authorization: Bearer hunter2 was sent", "Authorization: Bearer *** was sent"),
    ("authorization: hunter2 was sent", "authorization: *** was sent"),
    ('Authorization: Digest username="x", response="hunter2"\nnext', "Authorization: Digest ***\nnext"),
    ("{'Authorization': 'Bearer hunter2', 'Accept': 'x'}", "{'Authorization': '***', 'Accept': 'x'}"),
    ("[('Cookie', 'sid=hunter2; b=c')]", "[('Cookie', '***')]"),
    ("Cookie: sid=hunter2; other=hunter3 was sent", "Cookie: *** was sent"),
    ("X-Api-Key: hunter2", "X-Api-Key: ***"),
    ("sent Bearer hunter2; Basic YXBwOmh1bnRlcjI= too", "sent Bearer ***; Basic *** too"),
    ("mysql --password hunter2 -h db", "mysql --password *** -h db"),
    ("['mysql', '--password', 'hunter2', '-h']", "['mysql', '--password', '***', '-h']"),
    # by their looks
    ("key AKIAIOSFODNN7EXAMPLE is off", "key *** is off"),
    ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is", "*** is"),
    ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.SflKxw-RJ", "got ***"),
    ("ghp_0123456789abcdefghijklmnopqrstuvwxyz is", "*** is"),
    # cut anywhere
    ('{"password": "hunter2', '{"password": "***'),
    ("password=['hunter2", "password=[***"),
    ("no: -----BEGIN RSA PRIVATE KEY-----\nMIIE\n", "no: -----BEGIN RSA PRIVATE KEY-----***"),
    (
        "-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----' is",
        "-----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY-----' is",
    ),
    (
        "ends: AAAABBBBCCCCDDDDEEEE\nFFFF==\n-----END EC PRIVATE KEY-----\nnext",
        "ends:***-----END EC PRIVATE KEY-----\nnext",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), HIDDEN)
def test_it_is_hidden_and_the_sentence_stays(text, told):
    assert masked(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "http://db:5432/x and me@example.org",
        "https://registry.example:5000/v2/shop@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "ssh://git@github.com/x",
        "the settings module is missing SECRET_KEY",
        "KeyError: 'DB_PASSWORD'",
        "password=None, host=db",
        "max_tokens: 5",
        "botocore.exceptions.NoCredentialsError: Unable to locate credentials",
        "[Errno 2] /run/secrets/db_password: No such file or directory",
        "spec.env[0].valueFrom.secretKeyRef.name: Required value",
        'container app cannot be created: secret "nope" not found',
        "pod token-service-69f8bb5f7d-sqm6d: container app ended",
        'MountVolume.SetUp failed for volume "db-secret" : secret "nope" not found',
        'FATAL:  password authentication failed for user "app"',
        "Bearer token is missing, Basic authentication too",
        '  File "/app/token.py", line 3, in load_secret',
        "/opt/Company/releases/20240115/application/current/Main",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
    ],
)
def test_what_explains_a_failure_stays(text):
    assert masked(text) == text


PIECES = [
    "password", "token", "DB_PASS", "auth", "cookie", "Authorization", "dsn", "user", "ref", "x", "b", "443", "None",
    "str", "Optional", "Bearer ", "Basic ", "Digest ", "eyJ", "A1b2C3d4E5", "AKIAIOSFODNN7EXAMPLE",
    "ABCDEFGHIJabcdefghij01234567890123456789", "-----BEGIN", "-----END", " PRIVATE KEY-----", "***", "*",
    " ", "\n", "\t", "=", "=>", "!=", ":", "://", "/", "@", '"', "'", '"""', "\\", ",", ";", "&", "(", ")", "[", "]",
    "{", "}", "|", ">", ".", "-", "--", "\x00", "é",
]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=14).map("".join)


@given(TEXTS)
def test_applied_again_it_changes_nothing(text):
    assert masked(masked(text)) == masked(text)


@given(TEXTS)
def test_a_text_does_not_grow_beyond_bounds(text):
    """The shortest pair that is hidden, `dsn=x`, grows by two; after the mark of a private key there may be nothing."""
    assert len(masked(text)) <= 2 * len(text)


HOSTILE = [
    "a", "a=", "a ", " ", "\\", "\n", "=", "-", "://", "://a:", "u://a:b@", "u://a@", "password", "password=",
    "password=,a", "password=[", 'password="', 'password="\\', 'password\\"=\\"', "password: str|", ".value",
    "a.value=",
    "cookie=; ", "authorization: digest ", "--password ", "('password',", "eyJaaaaaa.", "Basic aaaaaaaa_", "Bearer ",
    "A1b/", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----",
]  # fmt: skip


INSIDE = [(start, each) for start in ('password="', "u://a:") for each in ("a", "a:", "//", "\\", '\\"', "[")]


@pytest.mark.parametrize(("start", "repeated"), [*(("", each) for each in HOSTILE), *INSIDE])
def test_a_hostile_text_of_a_megabyte_is_done(start, repeated):
    """Work that grew with the square of the length would take hours for one of these."""
    text = start + repeated * (1_000_000 // len(repeated))
    assert len(masked(text)) <= 2 * len(text)


def patterns() -> list[re.Pattern[str]]:
    quotes = ("'", '"', "'''", '"""', '\\"', "\\\\\\\\'")
    found = [each for module in (secrets, secretvalues) for each in vars(module).values()]
    return [each for each in found if isinstance(each, re.Pattern)] + [
        secretvalues._ends_of_quoted(quote) for quote in quotes
    ]


def repeats_within_repeats(parsed, inside: bool = False) -> bool:
    """A repetition without an end inside another one: where catastrophic backtracking comes from."""
    for opcode, argument in parsed:
        endless = opcode in (opcodes.MAX_REPEAT, opcodes.MIN_REPEAT) and argument[1] == opcodes.MAXREPEAT
        if endless and inside:
            return True
        for part in argument if isinstance(argument, tuple | list) else ():
            for each in part if isinstance(part, list) else [part]:
                if isinstance(each, re._parser.SubPattern) and repeats_within_repeats(each, inside or endless):
                    return True
    return False


@pytest.mark.parametrize("pattern", patterns(), ids=lambda each: each.pattern[:30])
def test_no_pattern_repeats_what_itself_repeats(pattern):
    assert not repeats_within_repeats(re._parser.parse(pattern.pattern, pattern.flags))


def test_the_check_of_patterns_finds_one():
    assert repeats_within_repeats(re._parser.parse(r"x(?:a|b+)*y"))
    assert not repeats_within_repeats(re._parser.parse(r"x(?:a|b)*y{1,4}z+"))
