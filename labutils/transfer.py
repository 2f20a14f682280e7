"""One transfer from one URL, by libcurl, and its failures as sentences a student can act on."""

import datetime
import os
import re
import sys
from pathlib import Path

CONNECT_SECONDS = 2.5  # for a mirror to answer at all
MIN_SPEED = 100_000  # bytes a second: a mirror that is slower than this ...
SLOW_SECONDS = 10  # ... for this long is given up
MAX_REDIRECTS = 5


class MirrorFailed(Exception):
    """One mirror did not deliver one file; the next may."""

    def __init__(self, message, *, unreachable=False, try_again=False):
        super().__init__(message)
        self.unreachable = unreachable
        self.try_again = try_again


def fetch(url: str, file, part: Path, *, patient: bool = False) -> None:
    """Append to the file ``part`` what it lacks of ``file``, a ``labutils.readers.RemoteFile``.

    Raises:
        MirrorFailed: the transfer did not come to its end. What came is kept in ``part``, unless
            it is of no use.
        OSError: ``part`` cannot be written.
    """
    try:
        import pycurl
    except ImportError as error:
        raise MirrorFailed(f"downloads need pycurl ({error}): pip install pycurl") from None

    min_speed = 1 if patient else MIN_SPEED
    start = part.stat().st_size if part.is_file() else 0
    problem = []  # exceptions inside libcurl's callbacks are kept here; it would only print them
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.USERAGENT, "labutils")
    curl.setopt(pycurl.CAINFO, _certificates())
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.FAILONERROR, 1)
    curl.setopt(pycurl.FOLLOWLOCATION, 1)
    curl.setopt(pycurl.MAXREDIRS, MAX_REDIRECTS)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(1000 * CONNECT_SECONDS))
    curl.setopt(pycurl.LOW_SPEED_LIMIT, min_speed)
    curl.setopt(pycurl.LOW_SPEED_TIME, SLOW_SECONDS)
    curl.setopt(pycurl.RESUME_FROM_LARGE, start)
    try:
        with open(part, "ab") as out, progress_bar(file.name, file.size, start) as bar:

            def receive(data):
                try:
                    if out.tell() + len(data) > file.size:
                        out.truncate(0)
                        raise MirrorFailed(
                            f"sends more than the {file.size:,} bytes of {file.name}"
                        )
                    out.write(data)
                    bar.update(len(data))
                except BaseException as error:
                    problem.append(error)
                    return 0

            def interrupted(*_):  # called about once a second, so that Ctrl-C is heard
                return 1 if problem else 0

            curl.setopt(pycurl.WRITEFUNCTION, receive)
            curl.setopt(pycurl.NOPROGRESS, 0)
            curl.setopt(pycurl.XFERINFOFUNCTION, interrupted)
            curl.perform()
    except pycurl.error as error:
        if problem:
            raise problem[0] from None
        code, text = error.args
        raise _explain(pycurl, curl, code, text, part, min_speed) from None
    finally:
        curl.close()
        if part.is_file() and part.stat().st_size == 0:
            part.unlink()


def _explain(pycurl, curl, code, text, part, min_speed) -> MirrorFailed:
    """Turn libcurl's error into a sentence that says what happened or what to do."""
    if code == pycurl.E_ABORTED_BY_CALLBACK:
        raise KeyboardInterrupt

    # It was not reached.
    if code == pycurl.E_COULDNT_RESOLVE_HOST:
        return MirrorFailed("its name cannot be resolved", unreachable=True)
    if code == pycurl.E_COULDNT_RESOLVE_PROXY or re.search("proxy|CONNECT tunnel", text, re.I):
        sentence = f"the proxy refuses ({text}); see the variables HTTPS_PROXY and NO_PROXY"
        return MirrorFailed(sentence, unreachable=True)
    if code == pycurl.E_COULDNT_CONNECT:
        return MirrorFailed("it takes no connection", unreachable=True)
    too_slow = code == pycurl.E_OPERATION_TIMEDOUT and "too slow" in text
    if code == pycurl.E_OPERATION_TIMEDOUT and not too_slow:
        return MirrorFailed(f"no answer within {CONNECT_SECONDS:g} s", unreachable=True)

    # It was reached, and did not deliver.
    status = curl.getinfo(pycurl.RESPONSE_CODE)
    if code == pycurl.E_RANGE_ERROR or status == 416:
        part.unlink(missing_ok=True)
        return MirrorFailed("it cannot go on in the middle of a file", try_again=True)
    if too_slow:
        return MirrorFailed(f"slower than {min_speed / 1000:,g} kB/s for {SLOW_SECONDS} s")
    if code == pycurl.E_HTTP_RETURNED_ERROR:
        meaning = {403: "forbidden", 404: "not there", 429: "too many requests", 503: "overloaded"}
        return MirrorFailed(f"HTTP {status} ({meaning.get(status, 'an error of the server')})")
    if code == pycurl.E_TOO_MANY_REDIRECTS:
        return MirrorFailed(f"it redirects more than {MAX_REDIRECTS} times")
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
