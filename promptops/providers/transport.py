"""The libraries that speak HTTP, imported here and nowhere else, without what of them nobody needs.

httpx brings a program of its own along, and with that rich, click and pygments: 0.06 s of processor time. It does
without where the program cannot be imported, as a name that is None in `sys.modules` cannot be.
"""

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import aiohttp  # noqa: E402
import httpx  # noqa: E402

__all__ = ["aiohttp", "httpx"]
