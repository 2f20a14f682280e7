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
import sys
import tempfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from labutils import files
from labutils.data.spec import MirrorFailed, cache_of, matches

MAX_TRIES = 3  # of one mirror, each going on where the one before was cut off
LOCK_SECONDS = 3600  # to wait for another process that fetches the same dataset


class DownloadError(Exception):
    """No mirror delivered the dataset. ``why`` says it in a few words, for the banner."""

    def __init__(self, message, why="download failed"):
        super().__init__(message)
        self.why = why


def fetch(spec, folders: list[Path], warn, *, patient: bool = False) -> str:
    """Bring a dataset's files into the first folder that takes them, in torchvision's layout.

    One process at a time does so, the others wait and find the files there; what is there stays.

    Args:
        spec: a ``labutils.data.spec.Spec``.
        folders: data folders; partial files lie in their ``cache/``.
        warn: called with a sentence for everything that goes wrong.
        patient: never give a mirror up for being slow.

    Returns why it failed, in a few words, or an empty text.
    """
    why = ""
    for folder in folders:
        obstacle = why_not_usable(folder, spec.disk_bytes)
        if obstacle:
            warn(f"{folder} {obstacle}, so {spec.title} is not stored there")
            continue
        try:
            with lock(spec, folder) as locked:
                if spec.verify(folder):  # else another process was faster
                    _Download(spec, folder, warn, patient, alone=locked).run()
            return ""
        except OSError as error:
            full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
            why = "disk full" if full else "nowhere to store it"
            warn(
                f"{spec.title} cannot be stored in {folder} ({_reason(error)}): "
                f"{'free some space, or ' * full}name a folder of your own in LABUTILS_DATA_DIR"
            )
        except (DownloadError, files.Locked) as error:
            warn(str(error))
            return getattr(error, "why", "download failed")
    if not why:
        warn("name a folder of your own, with room in it, in LABUTILS_DATA_DIR")
    return why or "nowhere to store it"


def mirrors(spec) -> list[str]:
    """Return URLs and folders to fetch from: those of ``LABUTILS_MIRRORS`` come first.

    There they are separated by commas or spaces.
    """
    own = []
    for piece in os.environ.get("LABUTILS_MIRRORS", "").split(","):
        # A folder's name may hold spaces.
        is_folder = os.path.isdir(os.path.expanduser(piece.strip()))
        own += [piece.strip()] if is_folder else piece.split()
    return [*map(_folder, own), *spec.mirrors]


def _folder(mirror: str) -> str:
    """A folder written as ``file:///srv/data`` or ``~/data`` as a plain path; a URL as it is."""
    if mirror.startswith("file:"):
        return url2pathname(urlsplit(mirror).path)
    return mirror if "://" in mirror else os.path.expanduser(mirror)


def label(mirror: str) -> str:
    """A mirror's name for messages; a URL may hold a password, its host does not."""
    _, is_url, place = mirror.partition("://")
    return place.partition("/")[0].rpartition("@")[2] if is_url else mirror


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


class _Download:
    """One run over the files of a dataset.

    ``alone`` says that the lock is held. Without it, another process may be fetching too: then the
    partial files have names that no other process has.
    """

    def __init__(self, spec, folder, warn, patient, alone):
        self.spec = spec
        self.folder = folder
        self.warn = warn
        self.patient = patient
        self.part_ending = ".part" if alone else f".{uuid.uuid4().hex}.part"
        self.mirrors = mirrors(spec)
        self.offline = None  # why not one URL can be reached; empty if one can; None: not known
        self.first_unreachable = ""  # what was said of a mirror that did not answer
        self.has_failed = False  # whether one did, and did not deliver

    def run(self):
        for file in self.spec.remote_files:
            target = self.spec.target(file, self.folder)
            if not (target.is_file() and _is_whole(target, file)):
                self._fetch(file, target)
        self.spec.unpack(self.folder)

    def _fetch(self, file, target):
        """Fetch one file from the first mirror that delivers it."""
        part = cache_of(self.folder) / f"{file.name}{self.part_ending}"
        for mirror in list(self.mirrors):
            try:
                self._fetch_from(mirror, file, part)
            except MirrorFailed as failure:
                said = f"{label(mirror)}: {failure}"
                if failure.unreachable:
                    self.first_unreachable = self.first_unreachable or said
                else:
                    self.has_failed = True
                    self.warn(said)
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
                if there < file.size:
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
        try:
            from labutils.data import transfer  # loads pycurl
        except ImportError as error:
            install = f"`{sys.executable} -m pip install pycurl`"
            raise DownloadError(
                f"downloads need pycurl ({error}): run {install}, then restart the kernel "
                "(on Colab: Runtime > Restart session)"
            ) from None
        if self.offline is None:
            self.offline = transfer.why_unreachable([m for m in self.mirrors if "://" in m])
        if self.offline:
            raise MirrorFailed(self.offline[mirror], unreachable=True)
        url = mirror if mirror.endswith(file.name) else f"{mirror.rstrip('/')}/{file.name}"
        transfer.fetch(url, file, part, patient=self.patient)

    def _defeat(self, part):
        """Return the error for a file that no mirror delivered."""
        title = self.spec.title
        if not self.has_failed:
            return DownloadError(
                f"no mirror of {title} can be reached ({self.first_unreachable}): look at the "
                "network connection, then try again",
                "no network",
            )
        advice = "try again later, or name a folder that holds it in LABUTILS_DATA_DIR"
        if part.is_file():
            advice = (
                f"{part.stat().st_size / 1e6:,.1f} MB are kept, and "
                f"`python -m labutils data fetch {self.spec.name} --patient` goes on from there"
            )
        return DownloadError(f"no mirror delivered {title}: {advice}")


# --- files --------------------------------------------------------------------------------------


def _copy_from_folder(folder, spec, file, part):
    if not os.path.isdir(folder):
        raise MirrorFailed("there is no such folder (LABUTILS_MIRRORS)")
    candidates = (folder / file.name, folder / spec.folder / file.name)
    found = next(filter(os.path.isfile, candidates), None)
    if found is None:
        raise MirrorFailed(f"the folder holds no {file.name}")
    try:
        source = open(found, "rb")
    except OSError as error:
        raise MirrorFailed(f"{file.name} cannot be read ({_reason(error)})") from None
    with source, open(part, "wb") as copy:
        shutil.copyfileobj(source, copy)


def _is_whole(path, file):
    with open(path, "rb") as stream:
        return matches(stream, file.digest)


def _check(part, file):
    """Raise MirrorFailed, and delete ``part``, if it is not the file it should be."""
    if not _is_whole(part, file):
        size = part.stat().st_size
        part.unlink()
        if size != file.size:
            raise MirrorFailed(f"sent {size:,} bytes, {file.name} has {file.size:,}")
        raise MirrorFailed(f"{file.name} came with wrong bytes (checksum), thrown away")


@contextlib.contextmanager
def lock(spec, folder: Path):
    """Let one process at a time change a dataset in ``folder``; the others wait.

    Without locks in the file system (the block is given whether there are) all go ahead, each with
    partial files of its own: the checksums and the renaming still hold.

    Raises:
        files.Locked: it was held by another process for ``LOCK_SECONDS``.
    """
    cache = cache_of(folder)
    waiting = f"Another process is fetching {spec.title} into {folder}; waiting for it."
    with files.lock(cache / f"{spec.name}.lock", LOCK_SECONDS, waiting) as locked:
        if locked:
            for leftover in cache.glob(f"{spec.name}-unpack-*"):  # of a process that was killed
                shutil.rmtree(leftover, ignore_errors=True)
        yield locked


def _reason(error):
    return error.strerror or str(error)
