"""Type a command in this process, the way the program is started: a second less than a process of its own."""

from __future__ import annotations

import functools
import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from promptops.cli.app import app, main


@dataclass(frozen=True, slots=True)
class Said:
    """What one command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]

# A process builds its commands once; here one process is many programs.
_built = functools.cache(get_command)
_built(app)  # all of them, before `main` leaves out those that are not typed


def typed(
    folder: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Said:
    """Type a command in a folder; what it changed of this process is undone, a traceback fails the test."""
    path, modules = list(sys.path), set(sys.modules)
    capfd.readouterr()
    with monkeypatch.context() as here:
        here.chdir(folder)
        here.setattr(sys, "argv", ["promptops", *arguments])
        here.setattr("typer.main.get_command", _built)
        importlib.invalidate_caches()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        finally:
            sys.path[:] = path
            # the user's own modules are those of one repository; the next test has another
            for name in set(sys.modules) - modules:
                file = getattr(sys.modules[name], "__file__", None)
                if file and (Path(file).is_relative_to(folder) or not Path(file).exists()):
                    del sys.modules[name]
    printed = capfd.readouterr()
    assert "Traceback" not in printed.err
    return Said(code, printed.out, printed.err)
