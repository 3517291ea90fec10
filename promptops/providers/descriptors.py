"""Room for many connections: every one is an open file, and systems allow a process few of them unless it asks.

The soft limit is raised as far as it is needed; the hard one is the system's word and stays.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from promptops.errors import ConfigError

# What else a process opens meanwhile: journal, cache, samples, programs that it starts.
_OTHERS = 32
# Asked for where it costs nothing: other providers of the same run have connections, too.
_PLENTY = 4


def make_room(connections: int) -> None:
    """See to it that this process may hold so many connections more than what it has open.

    Raises:
        ConfigError: the system does not allow it.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = float("inf") if hard == resource.RLIM_INFINITY else hard
    now = _open_now()
    if most < now + _OTHERS + connections:
        raise ConfigError(
            f"{connections} calls at once need as many open connections, and the system allows this process"
            f" {hard} open files (ulimit -Hn): set limits.concurrency to {max(1, hard - now - _OTHERS)} or less"
        )
    wanted = min(most, _PLENTY * connections + now + _OTHERS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Some systems allow less than they say; then what there is has to do.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (int(wanted), hard))


def _open_now() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return sum(1 for _ in Path(folder).iterdir())
    return _OTHERS
