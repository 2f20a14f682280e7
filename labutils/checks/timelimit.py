"""A time limit for code that may never end."""

import contextlib
import ctypes
import signal
import threading
from collections.abc import Iterator


class TimeIsUp(BaseException):
    """Raised inside code that ran past its limit. No ``except Exception`` catches it."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeIsUp` in the body when it runs longer than ``seconds``.

    On Unix in the main thread (a notebook kernel) an alarm signal interrupts loops and sleeps
    alike. Elsewhere (Windows, other threads) an asynchronous exception stops Python code, but
    waits for a blocking call to return. Either is raised again every half second, so that an
    ``except:`` in a loop does not swallow it for good.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if hasattr(signal, "setitimer") and in_main:
        with _by_alarm(seconds):
            yield
    else:
        with _by_thread(seconds):
            yield


@contextlib.contextmanager
def _by_alarm(seconds: float) -> Iterator[None]:
    def ring(signum, frame):
        raise TimeIsUp

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def _by_thread(seconds: float) -> Iterator[None]:
    target = threading.get_ident()
    finished = threading.Event()
    lock = threading.Lock()  # no exception may be sent once the body has left

    def watch():
        wait = seconds
        while not finished.wait(wait):
            with lock:
                if not finished.is_set():
                    _raise_in(target, ctypes.py_object(TimeIsUp))
            wait = 0.5

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        with lock:
            finished.set()
        _raise_in(target, None)  # take back one that was sent but has not arrived


def _raise_in(thread: int, exception) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception)
