"""The version of this tool, as evidence and reports record it."""

from __future__ import annotations


def tool_version() -> str:
    """Return the installed distribution's version; `0+unknown` from a bare source tree."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("promptops-cli")
    except PackageNotFoundError:
        return "0+unknown"
