"""A time limit for code that may never end."""

import contextlib
import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator

WALL_FACTOR = 3  # code that waits, or gets no turn on a busy machine, has this many times longer


class TimeIsUp(BaseException):
    """Raised inside code that ran past its limit. No ``except Exception`` catches it."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeIsUp` in the body when it computes for longer than ``seconds``.

    What counts is the processor time of the calling thread: a right answer is not stopped because
    others keep the machine busy. Code that only waits uses none, so the wall clock puts an end to
    everything after ``WALL_FACTOR`` times as long. Where a thread's processor time is not to be had
    (Windows; on macOS outside the main thread), the wall clock alone counts.

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
    is_up = _stopwatch(seconds, time.thread_time)

    def ring(signum, frame):
        if is_up():
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
    is_up = _stopwatch(seconds, _processor_clock(target))
    finished = threading.Event()
    lock = threading.Lock()  # no exception may be sent once the body has left

    def watch():
        wait = seconds
        while not finished.wait(wait):
            with lock:
                if not finished.is_set() and is_up():
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


def _processor_clock(thread: int) -> Callable[[], float] | None:
    """Return a function that reads a thread's processor time, None where there is none."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return None
    clock = time.pthread_getcpuclockid(thread)
    return lambda: time.clock_gettime(clock)


def _stopwatch(seconds: float, processor_time: Callable[[], float] | None) -> Callable[[], bool]:
    """Return a function that says whether the time is up, counted from now."""
    began = time.monotonic()
    if processor_time is None:
        return lambda: time.monotonic() - began >= seconds
    computed = processor_time()
    return lambda: (
        processor_time() - computed >= seconds or time.monotonic() - began >= WALL_FACTOR * seconds
    )


def _raise_in(thread: int, exception) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception)
