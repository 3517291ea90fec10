"""What a tool can do to the world, and whether a person has to agree first.

Apart from messages.py, because prompt files are read without the values that go to a model.
"""

from __future__ import annotations

from enum import StrEnum


class Risk(StrEnum):
    """What a tool can do to the world; unstated means irreversible."""

    READ = "read"
    WRITE = "write"
    IRREVERSIBLE = "irreversible"


class Approval(StrEnum):
    NONE = "none"
    REQUIRED = "required"
