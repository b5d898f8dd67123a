"""nginx.conf as a text: what is in it for which field, and where a line of the snippet is found again."""

import pytest

from tests.unit.resources.making import objects
from uwsgi_autopilot.resources.nginx import snippet_line


def conf(**nginx):
    return objects(nginx=nginx)["config"]["data"]["nginx.conf"]


def test_on_a_cluster_every_request_is_a_line_on_standard_output():
    assert "    access_log /dev/stdout combined;\n" in conf()
    assert "/dev/stdout" not in conf(accessLog="Disabled")
    assert "    access_log /dev/stdout autopilot_json;\n" in conf(accessLog="Json")


@pytest.mark.parametrize("log", ["Disabled", "Combined", "Json"])
def test_the_agents_log_is_there_whatever_people_want_to_read(log):
    assert conf(accessLog=log).count("access_log syslog:server=unix:/run/uwsgi-autopilot/log.sock,") == 1


def test_each_request_is_tested_only_where_a_snippet_may_ask_another_server():
    assert " if=" not in conf()
    assert " autopilot if=$autopilot_asked;" in conf(snippet="location /ws/ { proxy_pass http://127.0.0.1:8001; }")


def test_the_headers_of_an_answer_may_be_twice_what_one_of_a_request_may_be():
    assert "uwsgi_buffer_size 16k;" in conf()
    assert "uwsgi_buffer_size 32k;" in conf(headerSize="16Ki")


def test_internal_files_are_where_the_persons_volume_is():
    made = objects(chdir="/app", nginx={"internal": [{"path": "/a", "dir": "/data"}, {"path": "/b", "dir": "private"}]})
    text = made["config"]["data"]["nginx.conf"]
    assert 'alias "/data/";' in text
    assert 'alias "/app/private/";' in text
    assert "static" not in [each["name"] for each in made["Deployment"]["spec"]["template"]["spec"]["initContainers"]]


def test_the_buffers_for_headers_follow_uwsgis():
    def buffers(**spec):
        text = objects(**spec)["config"]["data"]["nginx.conf"]
        return [line.strip() for line in text.splitlines() if "header_buffer" in line]

    assert buffers() == ["client_header_buffer_size 1024;", "large_client_header_buffers 4 8192;"]
    smaller = buffers(uwsgi={"options": [{"name": "buffer-size", "value": "16384"}]})
    assert smaller == ["client_header_buffer_size 1792;", "large_client_header_buffers 1 5376;"]


def test_a_line_of_the_snippet_is_found_again_and_no_other_is_taken_for_one():
    text = conf(snippet="gzip_vary off;\n\n# spec.nginx.snippet\nfoo;\n")
    lines = text.splitlines()
    assert snippet_line(text, lines.index("gzip_vary off;") + 1) == 1
    assert snippet_line(text, lines.index("foo;") + 1) == 4
    assert [snippet_line(text, number) for number in (1, lines.index("foo;") + 2, len(lines))] == [None, None, None]
    assert snippet_line(conf(), 3) is None
