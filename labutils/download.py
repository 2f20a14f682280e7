"""Download dataset files from a list of mirrors. Whatever the mirror, the checksum decides.

libcurl does the transfers (``labutils.transfer``): it gives up a slow mirror, goes on where a
broken transfer stopped, and follows the proxy settings.
A file is fetched under a temporary name, verified, and only then renamed: what bears a dataset's
name is whole.
"""

import contextlib
import errno
import os
import shutil
import tarfile
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from labutils import readers, transfer
from labutils.transfer import MirrorFailed

OFFLINE_SECONDS = 7  # spent connecting in vain before we say that there is no network
MAX_TRIES = 3  # of one mirror, each going on where the one before was cut off
LOCK_SECONDS = 3600  # to wait for another process that fetches the same dataset


class DownloadError(Exception):
    """The dataset could not be fetched.

    ``why`` is the reason in a few words, for the banner; ``storage`` says that the folder was to
    blame, so that another folder may do.
    """

    def __init__(self, message, why="download failed", storage=False):
        super().__init__(message)
        self.why = why
        self.storage = storage


def download(spec, folder: Path, warn, *, patient: bool = False) -> None:
    """Bring a dataset's files into ``folder``, in torchvision's layout; what is there stays.

    One process at a time does so, the others wait and find the files there.

    Args:
        spec: a ``labutils.readers.Spec``.
        folder: a folder that can be written to; partial files lie in its ``cache/``.
        warn: called with a sentence for each mirror that answered and failed.
        patient: never give a mirror up for being slow.

    Raises:
        DownloadError: no mirror delivered, or the files cannot be stored.
    """
    try:
        with lock(spec, folder):
            if not readers.verify(spec, folder):
                return  # another process was faster
            _Download(spec, folder, warn, patient).run()
    except OSError as error:
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
        raise DownloadError(
            f"{spec.title} cannot be stored in {folder} ({_reason(error)})",
            "disk full" if full else "nowhere to store it",
            storage=True,
        ) from error


def mirrors(spec) -> list[str]:
    """Answer with URLs and folders to fetch from: those of ``LABUTILS_MIRRORS`` come first."""
    return [*_own_mirrors(), *spec.mirrors]


def why_not_usable(folder: Path, bytes_needed: int = 0) -> str:
    """Answer with why nothing can be stored in ``folder``; an empty text if it can."""
    try:
        cache_of(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache_of(folder)):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"cannot be written to ({_reason(error)})"
    if free < bytes_needed:
        return f"has {free / 1e6:,.0f} MB free, and {bytes_needed / 1e6:,.0f} MB are needed"
    return ""


def cache_of(folder: Path) -> Path:
    """Where partial files, locks and drawn images of a data folder lie."""
    return folder / "cache"


class _Download:
    """One run over the files of a dataset, the lock being held."""

    def __init__(self, spec, folder, warn, patient):
        self.spec = spec
        self.folder = folder
        self.cache = cache_of(folder)
        self.warn = warn
        self.patient = patient
        self.mirrors = mirrors(spec)
        self.seconds_unreachable = 0.0
        self.unreachable = []  # what was said of mirrors that did not answer
        self.failures = []  # what went wrong with those that did

    def run(self):
        for file in self.spec.remote_files:
            if self.spec.name == "mnist":
                target = self.folder / self.spec.folder / file.name
                if not (target.is_file() and _is_whole(target, file)):
                    self._fetch(file, target)
            else:
                archive = self.cache / file.name
                if not (archive.is_file() and _is_whole(archive, file)):
                    self._fetch(file, archive)
                unpack(self.spec, archive, self.folder)
                archive.unlink()

    def _fetch(self, file, target):
        """Fetch one file from the first mirror that delivers it."""
        part = self.cache / f"{file.name}.part"
        for mirror in list(self.mirrors):
            if self.seconds_unreachable > OFFLINE_SECONDS:
                break
            try:
                self._fetch_from(mirror, file, part)
            except MirrorFailed as failure:
                self._note(mirror, failure)
                self.mirrors.remove(mirror)  # to be asked last for the next file
                self.mirrors.append(mirror)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(part, target)
            return
        raise self._defeat(part)

    def _fetch_from(self, mirror, file, part):
        for attempt in range(1, MAX_TRIES + 1):
            resumed = part.is_file() and part.stat().st_size > 0
            try:
                if not resumed or part.stat().st_size != file.size:
                    self._transfer(mirror, file, part)
                _check(part, file)
                return
            except MirrorFailed as failure:
                # The wrong bytes may have been those of a mirror before: once more from the start.
                spoiled = resumed and not part.exists()
                if attempt == MAX_TRIES or not (failure.try_again or spoiled):
                    raise
            except OSError:  # a full disk, most likely: leave it no fuller than it was
                part.unlink(missing_ok=True)
                raise

    def _transfer(self, mirror, file, part):
        if "://" not in mirror:
            _copy_from_folder(Path(mirror), self.spec, file, part)
            return
        url = mirror if mirror.endswith(file.name) else f"{mirror.rstrip('/')}/{file.name}"
        began = time.monotonic()
        try:
            transfer.fetch(url, file, part, patient=self.patient)
        except MirrorFailed as failure:
            if failure.unreachable:
                self.seconds_unreachable += time.monotonic() - began
            raise

    def _note(self, mirror, failure):
        line = f"{label(mirror)}: {failure}"
        if failure.unreachable:
            self.unreachable.append(line)
        else:
            self.failures.append(line)
            self.warn(line)

    def _defeat(self, part):
        """Answer with the error for a file that no mirror delivered."""
        title = self.spec.title
        if not self.failures:
            return DownloadError(
                f"no mirror of {title} can be reached ({self.unreachable[0]})", "no network"
            )
        kept = part.stat().st_size if part.is_file() else 0
        advice = ""
        if kept:
            advice = (
                f"; {kept / 1e6:,.1f} MB are kept, and "
                f"`python -m labutils data fetch {self.spec.name} --patient` goes on from there"
            )
        return DownloadError(f"no mirror delivered {title}{advice}")


# --- files --------------------------------------------------------------------------------------


def _copy_from_folder(folder, spec, file, part):
    if not folder.is_dir():
        raise MirrorFailed("there is no such folder (LABUTILS_MIRRORS)")
    for candidate in (folder / file.name, folder / spec.folder / file.name):
        if candidate.is_file():
            try:
                shutil.copyfile(candidate, part)
            except PermissionError as error:
                raise MirrorFailed(f"cannot be read ({_reason(error)})") from None
            return
    raise MirrorFailed(f"the folder holds no {file.name}")


def _is_whole(path, file):
    with open(path, "rb") as stream:
        return readers.matches(stream, file.digest)


def _check(part, file):
    """Raise MirrorFailed, and delete ``part``, if it is not the file it should be."""
    if _is_whole(part, file):
        return
    with open(part, "rb") as stream:
        begin = stream.read(100).lstrip().lower()
    size = part.stat().st_size
    part.unlink()
    if begin.startswith((b"<!doctype", b"<html")):
        raise MirrorFailed(
            f"a web page came instead of {file.name}; perhaps this network wants a login first"
        )
    if size != file.size:
        raise MirrorFailed(f"sent {size:,} bytes, {file.name} has {file.size:,}")
    raise MirrorFailed(f"{file.name} came with wrong bytes (checksum), thrown away")


def unpack(spec, archive: Path, folder: Path) -> None:
    """Unpack CIFAR-10's archive into ``folder``, all or nothing.

    Only the files we know are taken, by name; a path inside the archive decides nothing.
    """
    scratch = Path(tempfile.mkdtemp(prefix=f"{spec.name}-unpack-", dir=cache_of(folder)))
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        with tarfile.open(archive) as tar:
            for member in tar:
                parent, _, name = member.name.partition("/")
                known = name in readers.CIFAR10_BATCHES or name == "batches.meta"
                if member.isfile() and parent == spec.folder and known:
                    with open(fresh / name, "wb") as copy:
                        shutil.copyfileobj(tar.extractfile(member), copy)
        target = folder / spec.folder
        if target.exists():  # a damaged one
            os.replace(target, scratch / "old")
        os.replace(fresh, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def lock(spec, folder: Path):
    """Let one process at a time change a dataset in ``folder``; the others wait.

    The operating system takes the lock back from a process that dies. Where the file system has
    no locks (some network drives), all go ahead: the checksums and the renaming still hold.

    Raises:
        DownloadError: it was held by another process for ``LOCK_SECONDS``.
    """
    from filelock import FileLock, Timeout

    cache = cache_of(folder)
    cache.mkdir(parents=True, exist_ok=True)
    lock = FileLock(cache / f"{spec.name}.lock")
    try:
        try:
            lock.acquire(timeout=0.1)
        except Timeout:
            print(f"Another process is fetching {spec.title} into {folder}; waiting for it.")
            lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        raise DownloadError(
            f"another process has held {lock.lock_file} for {LOCK_SECONDS / 60:.0f} minutes"
        ) from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
            raise
    try:
        for leftover in cache.glob(f"{spec.name}-unpack-*"):  # of a process that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        yield
    finally:
        lock.release()


def _own_mirrors() -> list[str]:
    """``LABUTILS_MIRRORS``: URLs or folders, separated by commas or spaces."""
    text = os.environ.get("LABUTILS_MIRRORS", "").strip()
    found = []
    for piece in text.split(","):
        piece = piece.strip()
        # A folder's name may hold spaces.
        found += [piece] if Path(piece).is_dir() else piece.split()
    return [mirror for mirror in found if mirror]


def label(mirror: str) -> str:
    """A mirror's name for messages; a URL may hold a password, its host does not."""
    return urlsplit(mirror).netloc.rpartition("@")[2] if "://" in mirror else mirror


def _reason(error):
    return error.strerror or str(error)
