"""One transfer from one URL, by libcurl, and its failures as sentences a student can act on.

Importing this module loads pycurl.
"""

import contextlib
import datetime
import os
import queue
import re
import sys
import threading
import time
from pathlib import Path

import certifi
import pycurl

from labutils.data.spec import MirrorFailed
from labutils.device import is_quiet

NETWORK_SECONDS = 3  # for the first of all mirrors to answer, else there is no network
CONNECT_SECONDS = 5  # for a certain mirror to answer, once one has shown that there is a network
MIN_SPEED = 100_000  # bytes a second: a mirror that is slower than this ...
SLOW_SECONDS = 10  # ... for this long is given up
PATIENT_SPEED = 1  # the same for those who have time: only silence is too slow
MAX_REDIRECTS = 5
CERTIFICATES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")  # name a user's own
TRUST = f"{CERTIFICATES[0]} (or {', '.join(CERTIFICATES[1:])}) must name a file with certificates"

# What libcurl's errors mean. The connection was not made, ...
UNREACHABLE = {
    pycurl.E_COULDNT_RESOLVE_HOST: "its name cannot be resolved",
    pycurl.E_COULDNT_CONNECT: "it takes no connection",
    pycurl.E_OPERATION_TIMEDOUT: "no answer within {seconds:.0f} s",
}
# ... it broke off (another try may help), ...
BROKEN = {pycurl.E_PARTIAL_FILE, pycurl.E_GOT_NOTHING, pycurl.E_HTTP2}
BROKEN |= {pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR}
# ... or what came over it was of no use.
INSECURE = (
    "no secure connection ({text}); either this network wants you to log in first, or a proxy "
    "inspects the traffic: then let SSL_CERT_FILE name its certificate"
)
WRONG_CLOCK = (
    "its certificate is refused ({text}); this computer's clock says {now:%Y-%m-%d %H:%M}: if that "
    "is wrong, set it"
)
USELESS = {
    pycurl.E_HTTP_RETURNED_ERROR: "HTTP {status} ({meaning})",
    pycurl.E_TOO_MANY_REDIRECTS: f"it redirects more than {MAX_REDIRECTS} times",
    pycurl.E_SSL_CACERT_BADFILE: "{text}; " + TRUST,
    pycurl.E_PEER_FAILED_VERIFICATION: INSECURE,
    pycurl.E_SSL_CONNECT_ERROR: INSECURE,
}
STATUS = {403: "forbidden", 404: "not there", 429: "too many requests", 503: "overloaded"}


def fetch(url: str, file, part: Path, *, patient: bool = False, resume: bool = True) -> None:
    """Append to the file ``part`` what it lacks of ``file``, a ``spec.RemoteFile``.

    A mirror that cannot begin in the middle sends all of it anew.

    Args:
        patient: never give the mirror up for being slow.
        resume: ask only for what is lacking, where something is there.

    Raises:
        MirrorFailed: the transfer did not come to its end. What came is kept in ``part``, unless
            it is of no use.
        OSError: ``part`` cannot be written.
    """
    min_speed = PATIENT_SPEED if patient else MIN_SPEED
    start = part.stat().st_size if part.is_file() else 0
    curl, answer = pycurl.Curl(), None
    try:
        _set_up(curl, url, CONNECT_SECONDS)
        curl.setopt(pycurl.FAILONERROR, 1)
        curl.setopt(pycurl.FOLLOWLOCATION, 1)
        curl.setopt(pycurl.MAXREDIRS, MAX_REDIRECTS)
        curl.setopt(pycurl.LOW_SPEED_LIMIT, min_speed)
        curl.setopt(pycurl.LOW_SPEED_TIME, SLOW_SECONDS)
        if start and resume:
            curl.setopt(pycurl.RANGE, f"{start}-")
        with open(part, "ab") as out, progress_bar(file.name, file.size, start) as bar:
            answer = _Answer(file, out, bar, start)
            curl.setopt(pycurl.HEADERFUNCTION, answer.header)
            curl.setopt(pycurl.WRITEFUNCTION, answer.body)
            curl.setopt(pycurl.NOPROGRESS, 0)
            curl.setopt(pycurl.XFERINFOFUNCTION, lambda *_: 0)  # so that Ctrl-C is heard
            curl.perform()
    except pycurl.error as error:
        if answer and answer.problem:
            raise answer.problem from None
        if curl.getinfo(pycurl.RESPONSE_CODE) == 416 and start and resume:
            return fetch(url, file, part, patient=patient, resume=False)
        raise _explain(curl, *error.args, min_speed=min_speed) from None
    finally:
        curl.close()
        if part.is_file() and part.stat().st_size == 0:
            part.unlink()


class _Answer:
    """A mirror's answer: what it announces, and the bytes that are appended to ``out``."""

    def __init__(self, file, out, bar, start):
        self.file, self.out, self.bar = file, out, bar
        self.start = start  # where the mirror's bytes begin
        self.status, self.length, self.begun = 0, None, False
        self.problem = None  # libcurl would only print an exception inside its callbacks

    def header(self, line: bytes):
        if status := re.match(rb"HTTP/\S+ (\d+)", line):  # one for each redirect
            self.status, self.length = int(status[1]), None
        elif length := re.match(rb"content-length: *(\d+)", line, re.IGNORECASE):
            self.length = int(length[1])

    def body(self, data: bytes):
        try:
            if not self.begun:
                self._begin(data)
            if self.out.tell() + len(data) > self.file.size:
                self.out.truncate(self.start)
                raise self._another_file(f"more than {self.file.size:,}")
            self.out.write(data)
            self.bar.update(len(data))
        except BaseException as error:
            self.problem = error
            return 0

    def _begin(self, data):
        """Look at the first bytes, before any of them is kept."""
        self.begun = True
        start = self.start if self.status == 206 else 0
        if not start and data.lstrip()[:100].lower().startswith((b"<!doctype", b"<html")):
            raise MirrorFailed(
                f"a web page came instead of {self.file.name}; perhaps this network wants a login "
                "first"
            )
        if self.length is not None and start + self.length != self.file.size:
            raise self._another_file(f"{start + self.length:,}")
        if start < self.start:
            self.start = self.out.seek(0)
            self.out.truncate()
            self.bar.reset()

    def _another_file(self, size):
        return MirrorFailed(f"sends {size} bytes, {self.file.name} has {self.file.size:,}")


def why_unreachable(urls: list[str]) -> dict[str, str]:
    """Knock at all the URLs' hosts at once: does any of them answer within ``NETWORK_SECONDS``?

    Returns an empty dictionary as soon as one does; else with what went wrong, by URL.
    """
    answers = queue.SimpleQueue()

    def knock(url):
        try:
            reason = _knock(url)
        except Exception:  # not for want of a network: the transfer will say what it is
            reason = ""
        answers.put((url, reason))

    for url in urls:
        # We do not wait for these threads: where no name server answers, libcurl comes back late.
        threading.Thread(target=knock, args=[url], daemon=True).start()
    reasons = dict.fromkeys(urls, f"no answer within {NETWORK_SECONDS:g} s")
    deadline = time.monotonic() + NETWORK_SECONDS + 0.3  # libcurl keeps the same time
    with contextlib.suppress(queue.Empty):
        for _ in urls:
            url, reason = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            if not reason:
                return {}
            reasons[url] = reason
    return reasons


def _knock(url: str) -> str:
    """Return why a URL's host takes no connection; an empty text if it does."""
    curl = pycurl.Curl()
    try:
        _set_up(curl, url, NETWORK_SECONDS)
        curl.setopt(pycurl.CONNECT_ONLY, 1)
        curl.perform()
    except pycurl.error as error:
        failure = _explain(curl, *error.args)
        late = error.args[0] == pycurl.E_OPERATION_TIMEDOUT and curl.getinfo(pycurl.CONNECT_TIME)
        if failure.unreachable and not late:
            return str(failure)
    return ""  # it is there; if something else is wrong with it, the transfer will say what


def _set_up(curl, url, connect_seconds):
    """Tell a libcurl handle where to go, who asks, whom to trust, and how long to wait."""
    curl.setopt(pycurl.URL, url.encode())
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.USERAGENT, "labutils")
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(1000 * connect_seconds))
    path = next(filter(None, map(os.environ.get, CERTIFICATES)), "") or certifi.where()
    try:
        certificates = Path(path).read_bytes()
    except OSError as error:
        raise MirrorFailed(f"{path} cannot be read ({error.strerror}): {TRUST}") from None
    if b"-----BEGIN" not in certificates:
        raise MirrorFailed(f"{path} holds no certificate: {TRUST}")
    try:  # not their path: how libcurl reads letters beyond ASCII in it depends on the system
        curl.setopt(pycurl.CAINFO_BLOB, certificates)
    except (AttributeError, pycurl.error):  # some builds take nothing but a path
        curl.setopt(pycurl.CAINFO, os.fsencode(path))


def _explain(curl, code, text, min_speed=MIN_SPEED) -> MirrorFailed:
    """Turn libcurl's error into a sentence that says what happened or what to do."""
    if code == pycurl.E_ABORTED_BY_CALLBACK:
        raise KeyboardInterrupt
    status = curl.getinfo(pycurl.RESPONSE_CODE)
    proxy_status = 407 if status == 407 else curl.getinfo(pycurl.HTTP_CONNECTCODE)
    of_proxy = proxy_status >= 400 or re.search("proxy|CONNECT tunnel", text, re.IGNORECASE)
    if of_proxy and code != pycurl.E_COULDNT_RESOLVE_HOST:
        refuses = f"the proxy refuses (HTTP {proxy_status})"
        problem = refuses if proxy_status >= 400 else f"the proxy cannot be used ({text})"
        sentence = f"{problem}; see the variables HTTPS_PROXY and NO_PROXY"
        return MirrorFailed(sentence, unreachable=True)
    if code == pycurl.E_OPERATION_TIMEDOUT and "too slow" in text:
        rate = f"slower than {min_speed / 1000:,g} kB/s"
        how = "nothing came" if min_speed == PATIENT_SPEED else rate
        return MirrorFailed(f"{how} for {SLOW_SECONDS} s")
    if code in BROKEN:
        return MirrorFailed("the connection breaks off", try_again=True)
    sentence = (UNREACHABLE | USELESS).get(code) or "{text}"
    if sentence == INSECURE and ("expired" in text or "not yet valid" in text):
        sentence = WRONG_CLOCK
    sentence = sentence.format(
        text=text or f"libcurl's error {code}",
        status=status,
        meaning=STATUS.get(status, "an error of the server"),
        seconds=curl.getinfo(pycurl.TOTAL_TIME),
        now=datetime.datetime.now().astimezone(),
    )
    return MirrorFailed(sentence, unreachable=code in UNREACHABLE)


def progress_bar(title, total, start=0):
    """A tqdm bar over bytes; silent in CI and where nobody watches."""
    from tqdm.auto import tqdm

    quiet = is_quiet() or not (sys.stderr.isatty() or "ipykernel" in sys.modules)
    look = dict(unit="B", unit_scale=True, leave=False, disable=quiet)
    return tqdm(desc=title, total=total, initial=start, **look)
