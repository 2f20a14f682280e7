"""A web server on loopback that serves a folder, and misbehaves on demand.

``http://127.0.0.1:PORT/BEHAVIOUR/FILE`` serves FILE as BEHAVIOUR says; see ``BEHAVIOURS``. The
folder is that of the real MNIST files where this machine has them, or one of ``tests/toy_data.py``.
"""

import contextlib
import os
import re
import socket
import ssl
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from labutils import data

BEHAVIOURS = {
    "good": "serves the file, resumes",
    "no-range": "serves the file, ignores resume requests",
    "redirect": "redirects once, to a good answer",
    "paced": "sends 1.5 MB a second",
    "slow": "sends 20 kB a second",
    "stall": "sends 50 kB, then nothing more",
    "silent": "takes the request and never answers",
    "drop": "cuts the connection after each third",
    "drop-at-once": "cuts the connection before it answers",
    "short": "says and sends half the length",
    "short-unsaid": "sends half, without saying how long it is",
    "long": "says and sends a longer file",
    "wrong-bytes": "sends the right length, one byte changed",
    "416": "refuses to send a part of the file",
    "403": "answers 403 forbidden",
    "404": "answers 404 not found",
    "503": "answers 503 overloaded",
    "loop": "redirects to itself for ever",
    "html": "returns a login page",
    "html-unsaid": "returns a login page of unknown length",
}


LOGIN_PAGE = b"<!DOCTYPE html><html><body>Please log in.</body></html>"


class Server:
    """The running server: its address, and how often each behaviour was asked for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.requests = Counter()
        self.stopped = threading.Event()

    def url(self, behaviour: str) -> str:
        """Return the mirror URL for a behaviour."""
        assert behaviour in BEHAVIOURS, behaviour
        return f"{self.scheme}://127.0.0.1:{self.port}/{behaviour}/"


def real_mnist() -> Path | None:
    """Return a folder that holds the four real files of MNIST, packed; None without one.

    Looked for in ``LABUTILS_DATA_DIR`` and in ``shared/data`` beside the repository.
    """
    folders = [Path(__file__).parents[3] / "shared" / "data"]
    if own := os.environ.get("LABUTILS_DATA_DIR"):
        folders.insert(0, Path(own))
    mnist = data.SPECS["mnist"]
    packed = {file.name for file in mnist.remote_files}
    for folder in folders:
        raw = folder / mnist.folder
        if all((raw / name).is_file() for name in packed) and not mnist.verify(folder):
            return raw
    return None


@contextlib.contextmanager
def serve(folder: Path, certificate=None):
    """Serve ``folder`` until the block ends; by https, with a certificate of ``trustme``."""
    server = Server(folder)

    class Handler(_Handler):
        owner = server

    httpd = _QuietServer(("127.0.0.1", 0), Handler)
    server.port = httpd.server_address[1]
    server.scheme = "https" if certificate else "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        # The handshake belongs into the connection's own thread: the first read does it.
        httpd.socket = context.wrap_socket(
            httpd.socket, server_side=True, do_handshake_on_connect=False
        )
    with _running(httpd):
        try:
            yield server
        finally:
            server.stopped.set()


@contextlib.contextmanager
def refusing_proxy(status: int):
    """Return the URL of a proxy that refuses every request with an HTTP status."""

    class Handler(_Handler):
        def do_GET(self):
            self._start(0, status)

        do_CONNECT = do_GET

    httpd = _QuietServer(("127.0.0.1", 0), Handler)
    with _running(httpd):
        yield f"http://127.0.0.1:{httpd.server_address[1]}"


@contextlib.contextmanager
def black_hole():
    """Return a URL that swallows what is sent to it, as a firewall does.

    On Linux, a listening socket whose queue is full answers nobody any more.
    """
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            visitor = stack.enter_context(socket.socket())
            visitor.setblocking(False)
            visitor.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Broken connections are what this server is for."""


@contextlib.contextmanager
def _running(httpd):
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_GET(self):
        behaviour, _, name = self.path.strip("/").partition("/")
        self.owner.requests[behaviour] += 1
        content = (self.owner.folder / Path(name).name).read_bytes()
        getattr(self, f"_{behaviour.replace('-', '_')}")(content)

    def _start(self, length, status=200, **headers):
        self.send_response(status)
        if length is None:  # the end of the connection is the end of the file
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        for header, value in headers.items():
            self.send_header(header.replace("_", "-"), value)
        self.end_headers()

    def _begin(self, content):
        """Answer a plain or a resume request; what is left to send."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        if start >= len(content):
            self._start(0, 416)
            return b""
        if not start:
            self._start(len(content))
        else:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._start(len(content) - start, 206, Content_Range=span)
        return content[start:]

    def _cut(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()

    def _good(self, content):
        self.wfile.write(self._begin(content))

    def _no_range(self, content):
        self._start(len(content))
        self.wfile.write(content)

    def _redirect(self, content):
        self._start(0, 302, Location=self.path.replace("/redirect/", "/good/"))

    def _trickle(self, content, piece, pause):
        rest = self._begin(content)
        for start in range(0, len(rest), piece):
            self.wfile.write(rest[start : start + piece])
            if self.owner.stopped.wait(pause):
                return

    def _paced(self, content):
        self._trickle(content, 30_000, 0.02)

    def _slow(self, content):
        self._trickle(content, 2_000, 0.1)

    def _stall(self, content):
        rest = self._begin(content)
        self.wfile.write(rest[:50_000])
        self.owner.stopped.wait(60)

    def _silent(self, content):
        self.owner.stopped.wait(60)

    def _drop(self, content):
        self.wfile.write(self._begin(content)[: len(content) // 3 + 1])
        self._cut()

    def _drop_at_once(self, content):
        self._cut()

    def _short(self, content):
        self._good(content[: len(content) // 2])

    def _short_unsaid(self, content):
        self._start(None)
        self.wfile.write(content[: len(content) // 2])

    def _long(self, content):
        self._good(content + b"0" * 1000)

    def _wrong_bytes(self, content):
        middle = len(content) // 2
        self._good(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])

    def _416(self, content):
        if "Range" in self.headers:
            self._start(0, 416)
        else:
            self._good(content)

    def _refuse(self, content):
        self._start(0, int(self.path.split("/")[1]))

    _403 = _404 = _503 = _refuse

    def _loop(self, content):
        self._start(0, 302, Location=self.path)

    def _html(self, content):
        self._start(len(LOGIN_PAGE), Content_Type="text/html")
        self.wfile.write(LOGIN_PAGE)

    def _html_unsaid(self, content):
        self._start(None, Content_Type="text/html")
        self.wfile.write(LOGIN_PAGE)


def wait_until(condition, seconds=20.0):
    """Wait until ``condition()`` holds; AssertionError if it does not within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
