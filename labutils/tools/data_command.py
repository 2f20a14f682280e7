"""``python -m labutils data``: list, fetch, verify and clear datasets, to prepare a lab room."""

import argparse
import contextlib
import os
import shutil
import sys
from pathlib import Path

from labutils import data
from labutils.data import download
from labutils.data.spec import Damaged, cache_of
from labutils.files import Locked

ACTIONS = {
    "list": "say where each dataset would be loaded from, and what the data folders hold",
    "fetch": "download datasets, verified, into the first data folder that takes them",
    "verify": "read every copy there is, with checksums",
    "clear": "delete downloaded copies, partial downloads and drawn samples",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    which = f"datasets ({', '.join(data.NAMES)}); all of them if none is named"
    add = {name: actions.add_parser(name, help=s, description=s) for name, s in ACTIONS.items()}
    for action in add.values():
        action.add_argument("names", nargs="*", metavar="NAME", help=which)
    slow = "never give a mirror up for being slow"
    add["fetch"].add_argument("--patient", action="store_true", help=slow)
    add["clear"].add_argument("--yes", action="store_true", help="delete without asking")


def main(args: argparse.Namespace) -> int:
    """Run one action; return 0, 1 if something failed, 2 for arguments that cannot be."""
    try:
        specs = [data.spec_of(name) for name in args.names or data.NAMES]
        if args.action == "list":
            return _list(specs)
    except ValueError as error:  # an unknown dataset, or LABUTILS_DATA with an unknown word
        print(error, file=sys.stderr)
        return 2
    except OSError as error:  # a drive that is dead
        print(f"{error.filename} cannot be read ({error.strerror})", file=sys.stderr)
        return 1
    if args.action == "fetch":
        return _fetch(specs, args.patient)
    if args.action == "verify":
        return _verify(specs, named=bool(args.names))
    return _clear(specs, sure=args.yes)


def _list(specs):
    for spec in specs:
        print(f"{spec.name}: {data.describe_sources(spec.name)}")
    for folder, state in data.data_folders():
        print(f"\n{folder} ({state})")
        for path in (path for spec in specs for path in _copies(spec, folder)):
            print(f"  {_megabytes(path):8.1f} MB  {path.relative_to(folder)}")
    return 0


def _fetch(specs, patient):
    failed = False
    for spec in specs:
        if folder := _where_it_is_whole(spec):
            print(f"[OK] {spec.title} is in {folder}, verified")
            continue
        try:
            folders = [folder for folder, _ in data.data_folders()]
            why = download.fetch(spec, folders, _warn, patient=patient)
        except KeyboardInterrupt:
            print("\nStopped. What came is kept: the same command goes on from there.")
            return 1
        if why:
            print(f"[FAIL] {spec.title}: {why}")
            failed = True
        else:
            print(f"[OK] {spec.title} downloaded into {_where_it_is_whole(spec)}, verified")
    return int(failed)


def _warn(text):
    print(f"Warning: {text}.")


def _where_it_is_whole(spec) -> Path | None:
    """Return the first data folder that holds every file of a dataset, verified."""
    folders = (folder for folder, _ in data.data_folders())
    return next((folder for folder in folders if not spec.verify(folder)), None)


def _verify(specs, named):
    failed = False
    for spec in specs:
        copies = []
        for folder, _ in data.data_folders():
            copies.append((spec.find(folder), spec.read, "verified"))
            copies.append((spec.find_npz(folder), spec.read_npz, "well-formed, unverified"))
        for path, read, praise in copies:
            if path is not None:
                try:
                    read(path)
                    print(f"[OK] {path}: {praise}")
                except (Damaged, OSError) as error:
                    print(f"[FAIL] {path}: {error}")
                    failed = True
        if not any(path for path, _, _ in copies):
            print(f"[{'FAIL' if named else '--'}] {spec.title}: no local copy")
            failed |= named
    return int(failed)


def _clear(specs, sure):
    """Delete what labutils or torchvision stored; a user's npz and archives are left alone."""
    doomed = [
        (spec, folder, path)
        for folder, _ in data.data_folders()
        for spec in specs
        for path in _existing(folder / spec.folder) + _leftovers(spec, folder)
    ]
    if not doomed:
        print("Nothing to delete.")
        return 0
    for _, _, path in doomed:
        print(f"  {_megabytes(path):8.1f} MB  {path}")
    if not sure and not sys.stdin.isatty():
        print("Nothing was deleted: say --yes to delete these.", file=sys.stderr)
        return 1
    if not sure and not _yes("Delete these? [y/N] "):
        print("Nothing was deleted.")
        return 1
    failed = False
    for spec, folder, path in doomed:
        try:
            with download.lock(spec, folder):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # MNIST/raw leaves MNIST; others hold something
                    path.parent.rmdir()
        except (OSError, Locked) as error:
            print(f"[FAIL] {path}: {error}")
            failed = True
    print("Some could not be deleted." if failed else "Deleted.")
    return int(failed)


def _yes(question) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        print()
        return False


def _copies(spec, folder: Path) -> list[Path]:
    """Return all that is there of a dataset in a folder, whole or not."""
    archives = (folder / file.name for file in spec.remote_files)
    copies = _existing(folder / f"{spec.name}.npz", *archives, folder / spec.folder)
    return copies + _leftovers(spec, folder)


def _existing(*paths: Path) -> list[Path]:
    return [path for path in paths if os.path.exists(path)]


def _leftovers(spec, folder: Path) -> list[Path]:
    """Return partial downloads and drawn samples; locks stay, they may be held."""
    patterns = [f"{file.name}*" for file in spec.remote_files]
    patterns += [f"{spec.name}-*", f"drawn-{spec.name}.npz*"]
    return sorted({path for pattern in patterns for path in cache_of(folder).glob(pattern)})


def _megabytes(path: Path) -> float:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6
