"""Small hands for the tests of the git room."""

from __future__ import annotations

from pathlib import Path


def hook(top: Path, name: str, script: str) -> None:
    """Install a hook; `top` is a work tree or a bare repository."""
    folder = (top / ".git" if (top / ".git").is_dir() else top) / "hooks"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def lock(top: Path) -> None:
    (top / ".git/index.lock").write_text("")
