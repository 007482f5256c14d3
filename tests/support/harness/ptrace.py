"""Makes a system call of another process fail: what no signal and no file can bring about from outside."""

import ctypes
import errno
import os
import pathlib
import platform
import time

PTRACE_CONT, PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_DETACH = 7, 12, 13, 17
PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WALL = 0x40000000
# x86-64: `user_regs_struct` has 27 words, of which these are the result and the number of the call.
WORDS, RAX, ORIG_RAX = 27, 10, 15
EPOLL_WAIT = (232, 281)
ATTEMPTS, PAUSE_S = 200, 0.01

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def why_not() -> str | None:
    """Why it can't be done here."""
    return None if platform.machine() == "x86_64" else "the registers are known of x86-64 only"


def _ptrace(request: int, thread: int, data=None) -> None:
    if libc.ptrace(request, thread, None, data) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request} of {thread}")


def thread_named(pid: int, name: str) -> int | None:
    """The thread of a process that has this name."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    return None


def fail_epoll_wait(thread: int, error: int = errno.EBADF) -> None:
    """Lets the `epoll_wait` that a thread is in end with an error."""
    _ptrace(PTRACE_SEIZE, thread)
    try:
        for _ in range(ATTEMPTS):
            _ptrace(PTRACE_INTERRUPT, thread)
            os.waitpid(thread, WALL)
            registers = (ctypes.c_uint64 * WORDS)()
            _ptrace(PTRACE_GETREGS, thread, ctypes.byref(registers))
            if registers[ORIG_RAX] in EPOLL_WAIT and ctypes.c_int64(registers[RAX]).value == -errno.EINTR:
                registers[RAX] = 2**64 - error
                _ptrace(PTRACE_SETREGS, thread, ctypes.byref(registers))
                return
            # It was on its way into the call or out of it.
            _ptrace(PTRACE_CONT, thread)
            time.sleep(PAUSE_S)
        raise AssertionError(f"thread {thread} is never in epoll_wait")
    finally:
        _ptrace(PTRACE_DETACH, thread)
