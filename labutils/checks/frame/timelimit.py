"""A time limit for code that may never end."""

import contextlib
import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator
from unittest import mock

WALL_FACTOR = 3  # code that gets no turn on a busy machine has this many times longer


class TimeIsUp(BaseException):
    """Raised inside code that ran past its limit. No ``except Exception`` catches it."""


class Waited(TimeIsUp):
    """Raised inside code that computed nothing for too long."""


def how_long_to_wait(seconds: float) -> float:
    """How long code may wait, in seconds, that may compute for ``seconds``."""
    return min(10.0, seconds / 2)


@contextlib.contextmanager
def time_limit(seconds: float, say: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Raise :class:`TimeIsUp` in the body when it computes for longer than ``seconds``.

    What counts is the processor time of the calling thread: a right answer is not stopped because
    others keep the machine busy. The wall clock puts an end to everything after ``WALL_FACTOR``
    times as long. Where a thread's processor time is not to be had (Windows; on macOS outside the
    main thread), the wall clock alone counts. Code that waits (a sleep, a lock) is told from code
    that gets little of the processor by its using next to none: it is stopped sooner, by
    :class:`Waited`.

    On Unix in the main thread (a notebook kernel) an alarm signal interrupts loops and sleeps
    alike. Elsewhere (Windows, other threads) an asynchronous exception stops Python code, but
    waits for a blocking call to return; ``time.sleep`` is cut into short ones there. Either is
    raised again and again, so that an ``except:`` in a loop does not swallow it for good.

    Args:
        say: called once, after a quarter of ``seconds``, to tell the reader.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if hasattr(signal, "setitimer") and in_main:
        with _by_alarm(_Watch(seconds, say, time.thread_time)):
            yield
    else:
        with _by_thread(_Watch(seconds, say, _processor_clock(threading.get_ident()))):
            yield


class _Watch:
    """Looks at the clocks from now on; :meth:`look` is called first after ``wait``, then often.

    Args:
        processor_time: of the thread that computes; None where it cannot be read.
    """

    def __init__(
        self, seconds: float, say: Callable[[], None], processor_time: Callable[[], float] | None
    ):
        self.seconds, self.patience = seconds, how_long_to_wait(seconds)
        self.wait, self.interval = seconds / 4, min(0.5, seconds / 8)
        self._say, self._processor_time = say, processor_time
        self._began, self._busy = time.monotonic(), (time.monotonic(), time.process_time())
        self._computed = processor_time() if processor_time else 0.0
        self._verdict: type[TimeIsUp] | None = None

    def look(self) -> type[TimeIsUp] | None:
        """Return what is to be raised, None while there is time left."""
        self._verdict = self._verdict or self._judge()
        say, self._say = self._say, None
        if say and not self._verdict:
            with contextlib.suppress(Exception):  # the reader's notebook may be closed
                say()
        return self._verdict

    def _judge(self) -> type[TimeIsUp] | None:
        now, used = time.monotonic(), time.process_time()
        if self._processor_time:
            up = self._processor_time() - self._computed >= self.seconds
            up = up or now - self._began >= WALL_FACTOR * self.seconds
        else:
            up = now - self._began >= self.seconds
        if used - self._busy[1] >= 0.03 * self.patience:
            self._busy = now, used
        waited = now - self._busy[0] >= self.patience
        return TimeIsUp if up else Waited if waited else None


@contextlib.contextmanager
def _by_alarm(watch: _Watch) -> Iterator[None]:
    def ring(signum, frame):
        up = watch.look()
        if up:
            raise up

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, watch.wait, watch.interval)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def _by_thread(watch: _Watch) -> Iterator[None]:
    target = threading.get_ident()
    finished = threading.Event()
    lock = threading.Lock()  # no exception may be sent once the body has left

    def keep_watch():
        wait = watch.wait
        while not finished.wait(wait):
            with lock:
                up = None if finished.is_set() else watch.look()
                if up:
                    _raise_in(target, ctypes.py_object(up))
            wait = watch.interval

    threading.Thread(target=keep_watch, daemon=True).start()
    try:
        with mock.patch.object(time, "sleep", _sleep_in_pieces):
            yield
    finally:
        with lock:
            finished.set()
        _raise_in(target, None)  # take back one that was sent but has not arrived


_sleep = time.sleep


def _sleep_in_pieces(seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        _sleep(min(left, 0.1))


def _processor_clock(thread: int) -> Callable[[], float] | None:
    """Return a function that reads a thread's processor time, None where there is none."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return None
    clock = time.pthread_getcpuclockid(thread)
    return lambda: time.clock_gettime(clock)


def _raise_in(thread: int, exception) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception)
