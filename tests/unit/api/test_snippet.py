"""A snippet that is accepted begins and ends in the server block that it stands in; what nginx users write is."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from uwsgi_autopilot.api.rule import Rule
from uwsgi_autopilot.api.rules import RULES
from uwsgi_autopilot.api.snippet import WELL_FORMED

OURS = [rule for rule in RULES if isinstance(rule, Rule) and rule.path == "spec.nginx.snippet"]


def accepted(text: str) -> bool:
    return all(rule.holds(text) for rule in OURS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing yet",
        "gzip_comp_level 5;",
        "add_header Content-Security-Policy \"default-src 'self'; img-src *\" always;\n",
        "location = /robots.txt { return 200 'User-agent: *\\n'; }",
        'location ~ "^/v[0-9]{1,2}/old$" { return 301 /new; }',
        "location ~* \\.(php|cgi)(/.*)?\\?a { return 404; } # nobody here",
        "if ($http_user_agent ~ 'bad{1}') { return 403; }",
        "set $who ${remote_addr}x;",
        "location /ws/ {\n  proxy_pass http://127.0.0.1:8001;\n  proxy_http_version 1.1;\n"
        '  proxy_set_header Upgrade $http_upgrade;\n  proxy_set_header Connection "upgrade";\n}\n',
        "location /a { location /a/b { if ($arg_x) { return 204; } } }",
        "uwsgi_param REMOTE_USER $remote_user;\nserver_name shop.example.com;\nerror_page 502 /down.html;",
        "auth_basic 'closed';#a\nauth_basic_user_file /etc/users;",
    ],
)
def test_what_people_write(text: str) -> None:
    assert accepted(text)


@pytest.mark.parametrize(
    "text",
    [
        "}",
        "a b; } c {",
        "a ${b; } server {",
        "a $; } b {",
        "a b#;\n} c {",
        'a "b}" {',
        "\"listen\" 81;",
        "listen\t81;",
        "a b;listen 81;",
        "a { uwsgi_next_upstream_tries 9; }",
        "#\nserver { a b; }",
        "include /etc/passwd;",
        "proxy_temp_path /x;",
        "location \"/\" { return 204; }",
        "a b\x00;",
    ],
)  # fmt: skip
def test_what_would_break_out_or_replace_what_is_ours(text: str) -> None:
    assert not accepted(text)


def depth_by_nginx(text: str) -> list[int]:
    """How deep each `{` and `}` leaves us, read letter by letter as ngx_conf_read_token does."""
    depths, depth, position = [], 0, 0
    between, quote, variable = True, "", False
    while position < len(text):
        letter = text[position]
        position += 1
        if between and letter == "#":
            position = (text.find("\n", position) + 1) or len(text)
        elif between and letter in " \t\r\n;":
            pass
        elif between and letter in "{}":
            depth += 1 if letter == "{" else -1
            depths.append(depth)
        elif between:
            between, quote, variable = False, letter if letter in "\"'" else "", letter == "$"
            position += letter == "\\"
        elif letter == "{" and variable:
            variable = True
        else:
            variable = letter == "$"
            if letter == "\\":
                position += 1
            elif quote and letter == quote:
                between, quote = True, ""
            elif not quote and letter in " \t\r\n;{":
                between = True
                if letter == "{":
                    depth += 1
                    depths.append(depth)
    return depths


PIECES = ["a", " ", ";", "{", "}", '"', "'", "#", "\n", "\\", "$", "${b}", "a b;", "a { b c; }", "a b ", "\t", "$b"]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@example("a ${b}{c d;}")
@example("a 'b}' \"{\" { c d; }")
def test_what_is_well_formed_ends_in_the_block_where_it_began(text: str) -> None:
    if re.fullmatch(WELL_FORMED, text):
        depths = depth_by_nginx(text)
        assert min(depths, default=0) >= 0
        assert not depths or depths[-1] == 0


def test_a_long_one_that_is_wrong_at_its_end_is_refused_at_once() -> None:
    for piece in ("a b;\n", "# a\n", "a {b c;}", "a \\{", "a '", "    ", "${a}", "a" * 9, 'a "', "\n#"):
        assert not accepted((piece * 4096)[:4000] + "\n}")
