"""``python -m labutils SUBCOMMAND``: the commands of the series, each in a module of its own."""

import argparse
import importlib
import sys

# Subcommand -> (module, one line of help). Loaded only when called.
COMMANDS = {
    "doctor": ("labutils.tools.doctor", "check this machine: packages, device, disk, datasets"),
    "data": ("labutils.tools.data_command", "list, fetch, verify and clear datasets"),
    "reference": ("labutils.tools.measure", "measure a reference run on the real data"),
    "release": ("labutils.course.release", "rebuild the student copies from the solutions"),
    "grade": ("labutils.course.grade", "grade a folder of submissions"),
    "run-solutions": ("labutils.course.run_solutions", "run the solution notebooks in place"),
    "site": ("labutils.course.site", "export the solved series as HTML pages and PDF handouts"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m labutils", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="SUBCOMMAND")
    asked = next((word for word in argv if not word.startswith("-")), None)
    try:
        for name, (module, text) in COMMANDS.items():
            subparser = subparsers.add_parser(name, help=text, description=text)
            if name == asked:
                command = importlib.import_module(module)
                command.add_arguments(subparser)
        arguments = parser.parse_args(argv)
        return command.main(arguments)
    except ModuleNotFoundError as error:
        extra = "[ta]" if COMMANDS[asked][0].startswith("labutils.course") else ""
        install = f'python -m pip install -e ".{extra}"'  # quotes that Windows takes, too
        print(f"{asked} needs {error.name}. In the repository, run {install}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
