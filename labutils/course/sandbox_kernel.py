"""The process in which one submission's code runs; a script, started by :mod:`sandbox`.

Usage: sandbox_kernel.py CONNECTION_FILE ROOT MEMORY_BYTES [HIDDEN_FOLDER ...]

On Linux it first enters namespaces of its own, as far as the system allows: no network, no other
processes to see or to signal (and all of its own end with it), hidden folders. Memory is limited.
labutils and torch are imported before the first line of the student's, so that files that a
student writes cannot stand in for them.
"""

import ctypes
import os
import signal
import sys

_NEWNS, _NEWUSER, _NEWPID, _NEWNET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
_MS_REC, _MS_PRIVATE, _PR_SET_PDEATHSIG = 0x4000, 0x40000, 1


def _isolate(hidden: list[str]) -> None:
    """Leave the network and the other processes behind. Returns in a child process."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    apart = _NEWNS | _NEWPID | _NEWNET
    if libc.unshare(apart) != 0:
        if libc.unshare(apart | _NEWUSER) != 0:
            return  # not allowed here: the environment without proxies has to do
        for name, text in (
            ("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")
        ):  # fmt: skip
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the kernel below
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.mount(b"proc", b"/proc", b"proc", 0, None)
    for folder in hidden:
        libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, b"size=1m")
    os.chdir(os.getcwd())
    os.environ.pop("JPY_PARENT_PID", None)  # the pid of another world


def main() -> None:
    connection_file, root, memory, *hidden = sys.argv[1:]
    if sys.platform == "linux":
        _isolate(hidden)
    try:
        import resource

        # Data, not address space: torch's libraries reserve far more than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (int(memory), int(memory)))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):  # Windows; a tighter limit of the system's own
        pass
    sys.path.insert(0, root)  # this labutils and no other, installed or not
    import labutils.course.kernel  # noqa: F401

    sys.path.remove(root)
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(
        argv=["-f", connection_file, "--ignore-cwd", "--HistoryManager.hist_file=:memory:"]
    )


if __name__ == "__main__":
    main()
