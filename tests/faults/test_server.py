"""Does the test server really misbehave as its behaviours are named? Asked without labutils."""

import http.client
import time

import pytest

from tests.faults.server import BEHAVIOURS, LOGIN_PAGE, serve

CONTENT = bytes(range(256)) * 2000  # 512 kB


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """A function that asks for the file by a behaviour and returns the open response."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "file").write_bytes(CONTENT)
    with serve(folder) as server:

        def ask(behaviour, start=0, timeout=10.0):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
            headers = {"Range": f"bytes={start}-"} if start else {}
            connection.request("GET", f"/{behaviour}/file", headers=headers)
            return connection.getresponse()

        yield ask


def test_every_behaviour_is_tested_here():
    tested = {"good", "no-range", "redirect", "loop", "paced", "slow", "stall", "silent", "drop"}
    tested |= {"drop-at-once", "short", "short-unsaid", "long", "wrong-bytes", "416"}
    assert tested | {"403", "404", "503", "html", "html-unsaid"} == set(BEHAVIOURS)


def test_good_and_no_range(ask):
    assert ask("good").read() == CONTENT
    rest = ask("good", start=1000)
    assert rest.status == 206 and rest.read() == CONTENT[1000:]
    assert rest.headers["Content-Range"] == f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
    whole = ask("no-range", start=1000)
    assert whole.status == 200 and whole.read() == CONTENT
    assert ask("good", start=len(CONTENT)).status == 416


def test_redirects(ask):
    answer = ask("redirect")
    assert (answer.status, answer.headers["Location"]) == (302, "/good/file")
    answer = ask("loop")
    assert (answer.status, answer.headers["Location"]) == (302, "/loop/file")


@pytest.mark.parametrize(("behaviour", "speed"), [("paced", 1.5e6), ("slow", 20e3)])
def test_speeds(behaviour, speed, ask):
    """Never faster than named; a busy machine makes everything slower."""
    answer = ask(behaviour)
    began, n = time.monotonic(), int(speed / 4)
    assert len(answer.read(n)) == n
    assert time.monotonic() - began > 0.15


def test_stall_and_silence(ask):
    answer = ask("stall", timeout=0.5)
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert answer.read(50_000) == CONTENT[:50_000]
    with pytest.raises(TimeoutError):
        answer.read(1)
    with pytest.raises(TimeoutError):
        ask("silent", timeout=0.5)


def test_drops(ask):
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask("drop").read()
    third = len(CONTENT) // 3 + 1
    assert caught.value.partial == CONTENT[:third]
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask("drop", start=third).read()
    assert caught.value.partial == CONTENT[third : 2 * third]
    with pytest.raises(http.client.RemoteDisconnected):
        ask("drop-at-once")


def test_other_lengths(ask):
    half = len(CONTENT) // 2
    answer = ask("short")
    assert answer.headers["Content-Length"] == str(half) and answer.read() == CONTENT[:half]
    answer = ask("short-unsaid")
    assert answer.headers["Content-Length"] is None and answer.read() == CONTENT[:half]
    answer = ask("long")
    assert answer.headers["Content-Length"] == str(len(CONTENT) + 1000)
    assert len(answer.read()) == len(CONTENT) + 1000


def test_wrong_bytes(ask):
    got = ask("wrong-bytes").read()
    assert sum(a != b for a, b in zip(got, CONTENT, strict=True)) == 1
    assert ask("wrong-bytes", start=1000).read() == got[1000:]


def test_statuses(ask):
    for status in (403, 404, 503):
        assert ask(str(status)).status == status
    assert ask("503").headers["Retry-After"] == "120"
    assert ask("416").read() == CONTENT and ask("416", start=5).status == 416


def test_login_pages(ask):
    for behaviour, length in (("html", str(len(LOGIN_PAGE))), ("html-unsaid", None)):
        answer = ask(behaviour)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
        assert answer.headers["Content-Length"] == length and answer.read() == LOGIN_PAGE
