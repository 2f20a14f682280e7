"""No network, a proxy in the way, certificates: what ``test_commands.py`` does not try already."""

import os
import socket
import sys
import time

import certifi
import pycurl
import pytest
import trustme

from labutils import data
from labutils.data import transfer
from tests.faults.server import black_hole, refusing_proxy, serve


def test_a_name_server_that_does_not_answer_costs_no_more(mirrors, monkeypatch, capsys):
    """libcurl then comes back after ten seconds or more; nobody waits for it."""
    monkeypatch.setattr(transfer, "NETWORK_SECONDS", 0.5)
    monkeypatch.setattr(transfer, "_knock", lambda url: time.sleep(5))
    mirrors("http://one.example/", "http://two.example/")
    began = time.monotonic()
    assert data.load("cifar10")[0].is_sample
    assert time.monotonic() - began < 3
    assert "(one.example: no answer within 0.5 s)" in capsys.readouterr().out


def test_a_url_that_is_none_is_a_failure_of_that_mirror(server, mirrors, capsys):
    odd = ("http://sp ace.example/", "gopher://old.example/", "http://ä:x/", "http://[x/")
    mirrors(*odd, server.url("good"))
    assert data.load("mnist")[0].source == "downloaded"
    assert "old.example: " in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses connections")
@pytest.mark.parametrize("next_one", ["server", "folder"])
def test_a_mirror_that_does_not_answer_is_passed_over(
    next_one, files, server, mirrors, monkeypatch, capsys
):
    """Without a network, a folder still delivers."""
    monkeypatch.setattr(transfer, "NETWORK_SECONDS", 0.3)
    monkeypatch.setattr(transfer, "CONNECT_SECONDS", 0.5)
    with black_hole() as url:
        mirrors(url, server.url("good") if next_one == "server" else str(files))
        assert data.load("mnist")[0].source == "downloaded"
    assert capsys.readouterr().out == "MNIST · 60 + 20 images · downloaded, verified\n"


def test_a_mirror_that_answers_late_is_waited_for(server, mirrors, monkeypatch):
    """A slow line: the connection stands, and what follows takes longer than the first look."""
    monkeypatch.setattr(transfer, "NETWORK_SECONDS", 0.3)
    with socket.socket() as mute:  # takes connections, and does not shake hands
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        assert not transfer.why_unreachable([f"https://127.0.0.1:{mute.getsockname()[1]}/"])


def test_refused_connections_count_as_no_network(mirrors, capsys):
    mirrors("http://127.0.0.1:9/")
    data.load("mnist")
    assert "127.0.0.1:9: it takes no connection" in capsys.readouterr().out


def test_password_of_a_mirror_is_not_shown(server, mirrors, capsys):
    mirrors(server.url("403").replace("http://", "http://user:secret@"))
    data.load("mnist")
    said = capsys.readouterr().out
    assert "HTTP 403" in said and "secret" not in said


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_refuses_is_named(status, scheme, mirrors, monkeypatch, capsys):
    monkeypatch.setenv("no_proxy", "")
    mirrors(f"{scheme}://mirror.invalid/")
    with refusing_proxy(status) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", proxy)
        assert data.load("mnist")[0].is_sample
    said = capsys.readouterr().out
    assert f" {status}" in said
    if (scheme, status) != ("http", 403):  # here nobody can tell who said it
        assert "the proxy refuses" in said and "HTTPS_PROXY and NO_PROXY" in said


# --- certificates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["/no/such/file.pem", os.devnull])
def test_a_certificate_file_that_is_none_is_named(given, files, mirrors, monkeypatch, capsys):
    monkeypatch.setenv("SSL_CERT_FILE", given)
    with serve(files, trustme.CA().issue_cert("127.0.0.1")) as server:
        mirrors(server.url("good"))
        assert data.load("mnist")[0].is_sample
    said = capsys.readouterr().out
    assert given in said and "SSL_CERT_FILE" in said


@pytest.mark.parametrize("build", ["takes certificates", "takes a path", "is older still"])
@pytest.mark.parametrize("named_by", ["certifi", "SSL_CERT_FILE"])
def test_certificates_may_lie_in_a_folder_with_any_letters(
    build, named_by, files, mirrors, tmp_path, monkeypatch
):
    """C:\\Users\\김민지: libcurl reads a path in an encoding of its own, or as ASCII only."""
    authority, path = trustme.CA(), tmp_path / "김민지" / "cacert.pem"
    path.parent.mkdir()
    authority.cert_pem.write_to_path(path)
    for variable in transfer.CERTIFICATES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(certifi, "where", lambda: str(path))
    if named_by == "SSL_CERT_FILE":
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        monkeypatch.delattr(certifi, "where")
    if build == "takes a path":  # what such builds of libcurl say of an option they do not know
        monkeypatch.setattr(pycurl, "CAINFO_BLOB", 40_000)
    if build == "is older still":
        monkeypatch.delattr(pycurl, "CAINFO_BLOB")
    with serve(files, authority.issue_cert("127.0.0.1")) as server:
        mirrors(server.url("good"))
        assert data.load("mnist")[0].source == "downloaded"


def test_a_plain_server_behind_https_is_a_failure_of_that_mirror(server, mirrors, capsys):
    mirrors(server.url("good").replace("http:", "https:"), server.url("good"))
    assert data.load("mnist")[0].source == "downloaded"
    assert "no secure connection" in capsys.readouterr().out


def test_without_pycurl_the_message_says_so(server, mirrors, monkeypatch, capsys):
    mirrors(server.url("good"))
    monkeypatch.setitem(sys.modules, "pycurl", None)
    monkeypatch.delitem(sys.modules, "labutils.data.transfer")
    monkeypatch.delattr(data, "transfer")
    assert data.load("mnist")[0].is_sample
    said = capsys.readouterr().out
    assert "pip install pycurl" in said and said.count("pycurl (") == 1
    assert "Runtime > Restart session" in said
    assert "no network" not in said


def test_a_knock_that_breaks_is_not_for_want_of_a_network(server, mirrors, monkeypatch):
    def broken(url):
        raise UnicodeEncodeError("ascii", "김", 0, 1, "not in range")

    monkeypatch.setattr(transfer, "_knock", broken)
    mirrors(server.url("good"))
    assert data.load("mnist")[0].source == "downloaded"
