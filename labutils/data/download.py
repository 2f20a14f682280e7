"""Download dataset files from a list of mirrors. Whatever the mirror, the checksum decides.

libcurl does the transfers (``labutils.data.transfer``): it gives up a slow mirror, goes on where a
broken transfer stopped, on the next mirror too, and follows the proxy settings.
A file is fetched under a temporary name, verified, and only then renamed: what bears a dataset's
name is whole.
"""

import contextlib
import errno
import os
import shutil
import tarfile
import tempfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from labutils import files
from labutils.data import readers, transfer
from labutils.data.transfer import MirrorFailed

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
        spec: a ``labutils.data.readers.Spec``.
        folder: a folder that can be written to; partial files lie in its ``cache/``.
        warn: called with a sentence for each mirror that answered and failed.
        patient: never give a mirror up for being slow.

    Raises:
        DownloadError: no mirror delivered, or the files cannot be stored.
    """
    try:
        with lock(spec, folder) as locked:
            if not readers.verify(spec, folder):
                return  # another process was faster
            _Download(spec, folder, warn, patient, alone=locked).run()
    except OSError as error:
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
        advice = "free some space, or name" if full else "name"
        raise DownloadError(
            f"{spec.title} cannot be stored in {folder} ({_reason(error)}): {advice} a folder of "
            "your own in LABUTILS_DATA_DIR",
            "disk full" if full else "nowhere to store it",
            storage=True,
        ) from error


def mirrors(spec) -> list[str]:
    """Return URLs and folders to fetch from: those of ``LABUTILS_MIRRORS`` come first."""
    return [*_own_mirrors(), *spec.mirrors]


def why_not_usable(folder: Path, bytes_needed: int = 0) -> str:
    """Return why nothing can be stored in ``folder``; an empty text if it can."""
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
    """One run over the files of a dataset.

    ``alone`` says that the lock is held. Without it, another process may be fetching too: then the
    partial files have names that no other process has.
    """

    def __init__(self, spec, folder, warn, patient, alone):
        self.spec = spec
        self.folder = folder
        self.cache = cache_of(folder)
        self.warn = warn
        self.patient = patient
        self.part_ending = ".part" if alone else f".{uuid.uuid4().hex}.part"
        self.mirrors = mirrors(spec)
        self.offline = None  # why not one URL can be reached; empty if one can; None: not known
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
        part = self.cache / f"{file.name}{self.part_ending}"
        for mirror in list(self.mirrors):
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
            there = part.stat().st_size if part.is_file() else 0
            try:
                if there > file.size:
                    part.unlink()
                if there != file.size:
                    self._transfer(mirror, file, part)
                _check(part, file)
                return
            except MirrorFailed as failure:
                # The wrong bytes may have been those of a mirror before: once more from the start.
                spoiled = there and not part.exists()
                if attempt == MAX_TRIES or not (failure.try_again or spoiled):
                    raise
            except OSError:  # a full disk, most likely: leave it no fuller than it was
                part.unlink(missing_ok=True)
                raise

    def _transfer(self, mirror, file, part):
        if "://" not in mirror:
            _copy_from_folder(Path(mirror), self.spec, file, part)
            return
        if self.offline is None:
            self.offline = transfer.why_unreachable([m for m in self.mirrors if "://" in m])
        if self.offline:
            raise MirrorFailed(self.offline[mirror], unreachable=True)
        url = mirror if mirror.endswith(file.name) else f"{mirror.rstrip('/')}/{file.name}"
        transfer.fetch(url, file, part, patient=self.patient)

    def _note(self, mirror, failure):
        line = f"{label(mirror)}: {failure}"
        if failure.unreachable:
            self.unreachable.append(line)
        else:
            self.failures.append(line)
            self.warn(line)

    def _defeat(self, part):
        """Return the error for a file that no mirror delivered."""
        title = self.spec.title
        if not self.failures:
            return DownloadError(
                f"no mirror of {title} can be reached ({self.unreachable[0]}): look at the network "
                "connection, then try again",
                "no network",
            )
        kept = part.stat().st_size if part.is_file() else 0
        if kept:
            advice = (
                f"{kept / 1e6:,.1f} MB are kept, and "
                f"`python -m labutils data fetch {self.spec.name} --patient` goes on from there"
            )
        else:
            advice = "try again later, or name a folder that holds it in LABUTILS_DATA_DIR"
        return DownloadError(f"no mirror delivered {title}: {advice}")


# --- files --------------------------------------------------------------------------------------


def _copy_from_folder(folder, spec, file, part):
    if not folder.is_dir():
        raise MirrorFailed("there is no such folder (LABUTILS_MIRRORS)")
    for candidate in (folder / file.name, folder / spec.folder / file.name):
        if candidate.is_file():
            try:
                source = open(candidate, "rb")
            except OSError as error:
                raise MirrorFailed(f"{file.name} cannot be read ({_reason(error)})") from None
            with source, open(part, "wb") as copy:
                shutil.copyfileobj(source, copy)
            return
    raise MirrorFailed(f"the folder holds no {file.name}")


def _is_whole(path, file):
    with open(path, "rb") as stream:
        return readers.matches(stream, file.digest)


def _check(part, file):
    """Raise MirrorFailed, and delete ``part``, if it is not the file it should be."""
    if _is_whole(part, file):
        return
    size = part.stat().st_size
    part.unlink()
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

    Without locks in the file system (the block is given whether there are) all go ahead, each with
    partial files of its own: the checksums and the renaming still hold.

    Raises:
        DownloadError: it was held by another process for ``LOCK_SECONDS``.
    """
    cache = cache_of(folder)
    waiting = f"Another process is fetching {spec.title} into {folder}; waiting for it."
    try:
        with files.lock(cache / f"{spec.name}.lock", LOCK_SECONDS, waiting) as locked:
            if locked:
                for leftover in cache.glob(f"{spec.name}-unpack-*"):  # of a process that was killed
                    shutil.rmtree(leftover, ignore_errors=True)
            yield locked
    except files.Locked as error:
        raise DownloadError(str(error)) from None


def _own_mirrors() -> list[str]:
    """``LABUTILS_MIRRORS``: URLs or folders, separated by commas or spaces."""
    text = os.environ.get("LABUTILS_MIRRORS", "").strip()
    found = []
    for piece in text.split(","):
        piece = piece.strip()
        # A folder's name may hold spaces.
        found += [piece] if Path(piece).expanduser().is_dir() else piece.split()
    return [_folder(mirror) for mirror in found if mirror]


def _folder(mirror: str) -> str:
    """A folder written as ``file:///srv/data`` or ``~/data`` as a plain path; a URL as it is."""
    if mirror.startswith("file:"):
        return url2pathname(urlsplit(mirror).path)
    return mirror if "://" in mirror else str(Path(mirror).expanduser())


def label(mirror: str) -> str:
    """A mirror's name for messages; a URL may hold a password, its host does not."""
    return urlsplit(mirror).netloc.rpartition("@")[2] if "://" in mirror else mirror


def _reason(error):
    return error.strerror or str(error)
