"""Releases for prompts, native to git.

What a user's own code may import is listed in `__all__` and nothing else; names are fetched when first asked for,
because the command line passes through this file too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptops.errors import PromptopsError
    from promptops.loading import Loaded, load
    from promptops.messages import Completion, Message, Request, ToolCall, Usage
    from promptops.samples import Sample, Score

_HOME = {
    "Completion": "messages",
    "Loaded": "loading",
    "Message": "messages",
    "PromptopsError": "errors",
    "Request": "messages",
    "Sample": "samples",
    "Score": "samples",
    "ToolCall": "messages",
    "Usage": "messages",
    "load": "loading",
}
__all__ = [
    "Completion",
    "Loaded",
    "Message",
    "PromptopsError",
    "Request",
    "Sample",
    "Score",
    "ToolCall",
    "Usage",
    "load",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
