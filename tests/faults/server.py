"""A web server on loopback that serves a folder, and misbehaves on demand.

``http://127.0.0.1:PORT/BEHAVIOUR/FILE`` serves FILE as BEHAVIOUR says; see ``BEHAVIOURS``.
"""

import contextlib
import re
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

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
    "long": "says and sends a longer file",
    "wrong-bytes": "sends the right length, one byte changed",
    "403": "answers 403 forbidden",
    "404": "answers 404 not found",
    "503": "answers 503 overloaded",
    "loop": "redirects to itself for ever",
    "html": "answers with a login page",
}


class Server:
    """The running server: its address, and how often each behaviour was asked for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.requests = Counter()
        self.stopped = threading.Event()

    def url(self, behaviour: str) -> str:
        """Answer with the mirror URL for a behaviour."""
        assert behaviour in BEHAVIOURS, behaviour
        return f"http://127.0.0.1:{self.port}/{behaviour}/"


@contextlib.contextmanager
def serve(folder: Path):
    """Serve ``folder`` until the block ends."""
    server = Server(folder)

    class Handler(_Handler):
        owner = server

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    server.port = httpd.server_address[1]
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
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
        content = (self.owner.folder / name).read_bytes()
        getattr(self, f"_{behaviour.replace('-', '_')}")(content)

    def _start(self, length, status=200, **headers):
        self.send_response(status)
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

    def _long(self, content):
        self._good(content + b"0" * 1000)

    def _wrong_bytes(self, content):
        middle = len(content) // 2
        self._good(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])

    def _403(self, content):
        self._start(0, 403)

    def _404(self, content):
        self._start(0, 404)

    def _503(self, content):
        self._start(0, 503, Retry_After="120")

    def _loop(self, content):
        self._start(0, 302, Location=self.path)

    def _html(self, content):
        page = b"<!DOCTYPE html><html><body>Please log in.</body></html>"
        self._start(len(page), Content_Type="text/html")
        self.wfile.write(page)


def wait_until(condition, seconds=20.0):
    """Wait until ``condition()`` holds; AssertionError if it does not within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
