"""What a process takes from itself before it reads what nobody trusts: time, memory, the sight of other processes."""

from __future__ import annotations

import os
import sys

MEMORY = 2 * 2**30  # bytes of address space; Python and its libraries take a quarter of it
WRITTEN = 64 * 2**20  # bytes of a file; what it answers takes some hundred for each prompt

_NO_NEW_PRIVILEGES = 38
_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # system calls of Landlock; the same numbers on every processor
_MAKE_BLOCK_DEVICE = 1 << 11


def confine(seconds: int) -> None:
    """Have the system end this process when it takes too much, and show it no other one.

    Where it cannot, the one who waits for it watches the clock.
    """
    if os.name == "nt":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN, WRITTEN))
    if sys.platform == "linux":
        keep_apart()


def keep_apart() -> None:
    """Let this process and its children become nobody else, and see neither memory nor variables of other processes.

    Our own variables are no secret, but those of the program that started us and of the shell before it may be, and
    they belong to the same user. Linux keeps a process in any Landlock domain from them, so a domain that forbids
    nothing but making devices will do. Before Linux 5.13, or where Landlock is switched off, nothing is kept apart.
    """
    import ctypes

    system = ctypes.CDLL(None)
    system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    forbidden = (ctypes.c_uint64 * 1)(_MAKE_BLOCK_DEVICE)
    rules = system.syscall(_CREATE_RULESET, forbidden, ctypes.sizeof(forbidden), 0)
    if rules >= 0:
        system.syscall(_RESTRICT_SELF, rules, 0)
        os.close(rules)
