"""One transfer from one URL, by libcurl, and its failures as sentences a student can act on."""

import datetime
import os
import queue
import re
import sys
import threading
import time
from pathlib import Path

NETWORK_SECONDS = 3  # for the first of all mirrors to answer, else there is no network
CONNECT_SECONDS = 5  # for a certain mirror to answer, once one has shown that there is a network
MIN_SPEED = 100_000  # bytes a second: a mirror that is slower than this ...
SLOW_SECONDS = 10  # ... for this long is given up
PATIENT_SPEED = 1  # the same for those who have time: only silence is too slow
MAX_REDIRECTS = 5


class MirrorFailed(Exception):
    """One mirror did not deliver one file; the next may."""

    def __init__(self, message, *, unreachable=False, try_again=False):
        super().__init__(message)
        self.unreachable = unreachable
        self.try_again = try_again


def fetch(url: str, file, part: Path, *, patient: bool = False, ranges: bool = True) -> None:
    """Append to the file ``part`` what it lacks of ``file``, a ``readers.RemoteFile``.

    Args:
        patient: never give the mirror up for being slow.
        ranges: ask only for what is lacking, where something is there.

    Raises:
        MirrorFailed: the transfer did not come to its end. What came is kept in ``part``, unless
            it is of no use.
        OSError: ``part`` cannot be written.
    """
    pycurl = _pycurl()
    min_speed = PATIENT_SPEED if patient else MIN_SPEED
    start = part.stat().st_size if part.is_file() else 0
    curl = _curl(url, CONNECT_SECONDS)
    curl.setopt(pycurl.FAILONERROR, 1)
    curl.setopt(pycurl.FOLLOWLOCATION, 1)
    curl.setopt(pycurl.MAXREDIRS, MAX_REDIRECTS)
    curl.setopt(pycurl.LOW_SPEED_LIMIT, min_speed)
    curl.setopt(pycurl.LOW_SPEED_TIME, SLOW_SECONDS)
    if start and ranges:
        curl.setopt(pycurl.RANGE, f"{start}-")
    try:
        with open(part, "ab") as out, progress_bar(file.name, file.size, start) as bar:
            answer = _Answer(file, out, bar, start)
            curl.setopt(pycurl.HEADERFUNCTION, answer.header)
            curl.setopt(pycurl.WRITEFUNCTION, answer.body)
            curl.setopt(pycurl.NOPROGRESS, 0)
            curl.setopt(pycurl.XFERINFOFUNCTION, answer.interrupted)
            curl.perform()
    except pycurl.error as error:
        if answer.problem:
            raise answer.problem from None
        if curl.getinfo(pycurl.RESPONSE_CODE) == 416 and start and ranges:
            return fetch(url, file, part, patient=patient, ranges=False)
        raise _explain(curl, *error.args, min_speed=min_speed) from None
    finally:
        curl.close()
        if part.is_file() and part.stat().st_size == 0:
            part.unlink()


def why_unreachable(urls: list[str]) -> dict[str, str]:
    """Knock at all the URLs' hosts at once: does any of them answer within ``NETWORK_SECONDS``?

    Returns an empty dictionary as soon as one does; else with what went wrong, by URL.
    """
    _pycurl()
    answers = queue.SimpleQueue()
    for url in urls:
        # We do not wait for these threads: where no name server answers, libcurl comes back late.
        knocking = threading.Thread(target=lambda url=url: answers.put((url, _knock(url))))
        knocking.daemon = True
        knocking.start()
    reasons = dict.fromkeys(urls, f"no answer within {NETWORK_SECONDS:g} s")
    deadline = time.monotonic() + NETWORK_SECONDS + 0.3  # libcurl keeps the same time
    for _ in urls:
        try:
            url, reason = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if not reason:
            return {}
        reasons[url] = reason
    return reasons


def _knock(url: str) -> str:
    """Return why a URL's host takes no connection; an empty text if it does."""
    pycurl = _pycurl()
    curl = _curl(url, NETWORK_SECONDS)
    curl.setopt(pycurl.CONNECT_ONLY, 1)
    try:
        curl.perform()
    except pycurl.error as error:
        code, text = error.args
        failure = _explain(curl, code, text)
        late = code == pycurl.E_OPERATION_TIMEDOUT and curl.getinfo(pycurl.CONNECT_TIME)
        if failure.unreachable and not late:
            return str(failure)
    return ""  # it is there; if something else is wrong with it, the transfer will say what


def _pycurl():
    try:
        import pycurl
    except ImportError as error:
        raise MirrorFailed(f"downloads need pycurl ({error}): pip install pycurl") from None
    return pycurl


def _curl(url, connect_seconds):
    """Return a libcurl handle for a URL: who asks, whom to trust, how long to wait."""
    pycurl = _pycurl()
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url.encode())
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.USERAGENT, "labutils")
    curl.setopt(pycurl.CAINFO, _certificates())
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(1000 * connect_seconds))
    return curl


class _Answer:
    """A mirror's answer: what it announces, and the bytes that are appended to ``out``.

    A mirror that ignores the request for the rest sends the whole file: what is there is skipped.
    """

    def __init__(self, file, out, bar, start):
        self.file, self.out, self.bar = file, out, bar
        self.start = start
        self.status, self.length = 0, None
        self.skip = None  # bytes still to pass over; not known before the first byte
        self.problem = None  # libcurl would only print an exception inside its callbacks

    def header(self, line: bytes):
        if status := re.match(rb"HTTP/\S+ (\d+)", line):  # one for each redirect
            self.status, self.length = int(status[1]), None
        elif length := re.match(rb"content-length: *(\d+)", line, re.IGNORECASE):
            self.length = int(length[1])

    def body(self, data: bytes):
        try:
            if self.skip is None:
                self._begin(data)
            skipped = min(self.skip, len(data))
            self.skip -= skipped
            self._append(data[skipped:])
        except BaseException as error:
            self.problem = error
            return 0

    def interrupted(self, *_):
        """Called about once a second, so that Ctrl-C is heard."""
        return 1 if self.problem else 0

    def _begin(self, data):
        """Look at the first bytes, before any of them is kept."""
        whole = self.status != 206
        self.skip = self.start if whole else 0
        if whole and data.lstrip()[:100].lower().startswith((b"<!doctype", b"<html")):
            raise MirrorFailed(
                f"a web page came instead of {self.file.name}; perhaps this network wants a login "
                "first"
            )
        if self.length is not None:
            size = self.length + (0 if whole else self.start)
            if size != self.file.size:
                raise self._another_file(f"{size:,}")

    def _append(self, data):
        if self.out.tell() + len(data) > self.file.size:
            self.out.truncate(self.start)
            raise self._another_file(f"more than {self.file.size:,}")
        self.out.write(data)
        self.bar.update(len(data))

    def _another_file(self, size):
        return MirrorFailed(f"sends {size} bytes, {self.file.name} has {self.file.size:,}")


def _explain(curl, code, text, min_speed=MIN_SPEED) -> MirrorFailed:
    """Turn libcurl's error into a sentence that says what happened or what to do."""
    pycurl = _pycurl()
    if code == pycurl.E_ABORTED_BY_CALLBACK:
        raise KeyboardInterrupt

    # It was not reached.
    if code == pycurl.E_COULDNT_RESOLVE_HOST:
        return MirrorFailed("its name cannot be resolved", unreachable=True)
    status = curl.getinfo(pycurl.RESPONSE_CODE)
    proxy_status = 407 if status == 407 else curl.getinfo(pycurl.HTTP_CONNECTCODE)
    if proxy_status >= 400 or re.search("proxy|CONNECT tunnel", text, re.IGNORECASE):
        refuses = f"the proxy refuses (HTTP {proxy_status})"
        problem = refuses if proxy_status >= 400 else f"the proxy cannot be used ({text})"
        sentence = f"{problem}; see the variables HTTPS_PROXY and NO_PROXY"
        return MirrorFailed(sentence, unreachable=True)
    if code == pycurl.E_COULDNT_CONNECT:
        return MirrorFailed("it takes no connection", unreachable=True)
    too_slow = code == pycurl.E_OPERATION_TIMEDOUT and "too slow" in text
    if code == pycurl.E_OPERATION_TIMEDOUT and not too_slow:
        return MirrorFailed(
            f"no answer within {curl.getinfo(pycurl.TOTAL_TIME):.0f} s", unreachable=True
        )

    # It was reached, and did not deliver.
    if too_slow and min_speed == PATIENT_SPEED:
        return MirrorFailed(f"nothing came for {SLOW_SECONDS} s")
    if too_slow:
        return MirrorFailed(f"slower than {min_speed / 1000:,g} kB/s for {SLOW_SECONDS} s")
    if code == pycurl.E_HTTP_RETURNED_ERROR:
        meaning = {403: "forbidden", 404: "not there", 429: "too many requests", 503: "overloaded"}
        return MirrorFailed(f"HTTP {status} ({meaning.get(status, 'an error of the server')})")
    if code == pycurl.E_TOO_MANY_REDIRECTS:
        return MirrorFailed(f"it redirects more than {MAX_REDIRECTS} times")
    if code == pycurl.E_SSL_CACERT_BADFILE:
        return MirrorFailed(
            f"{text}: SSL_CERT_FILE (or CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE) must name a file with "
            "certificates, or nothing"
        )
    if code in (pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CONNECT_ERROR):
        return MirrorFailed(_tls_advice(text))
    broken = ("PARTIAL_FILE", "GOT_NOTHING", "RECV_ERROR", "SEND_ERROR", "HTTP2")
    if code in [getattr(pycurl, f"E_{name}") for name in broken]:
        return MirrorFailed("the connection breaks off", try_again=True)
    return MirrorFailed(text or f"libcurl's error {code}")


def _tls_advice(text):
    now = datetime.datetime.now().astimezone()
    if "expired" in text or "not yet valid" in text:
        return (
            f"its certificate is refused ({text}); this computer's clock says "
            f"{now:%Y-%m-%d %H:%M}: if that is wrong, set it"
        )
    return (
        f"no secure connection ({text}); either this network wants you to log in first, or a "
        "proxy inspects the traffic: then let SSL_CERT_FILE name its certificate"
    )


def _certificates():
    """The certificates to trust: the user's own, where a variable names them."""
    for variable in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        if os.environ.get(variable):
            return os.environ[variable]
    import certifi

    return certifi.where()


def progress_bar(title, total, start=0):
    """A tqdm bar over bytes; silent in CI and where nobody watches."""
    from tqdm.auto import tqdm

    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    quiet = (
        not watched or bool(os.environ.get("CI")) or os.environ.get("LABUTILS_BUDGET") == "smoke"
    )
    return tqdm(
        desc=title,
        total=total,
        initial=start,
        unit="B",
        unit_scale=True,
        disable=quiet,
        leave=False,
    )
