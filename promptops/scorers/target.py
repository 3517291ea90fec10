"""From `module:function` to the function, out of one given directory and nowhere else.

The current directory, installed packages and the search path do not matter, and no byte code is written into
the repository. The module is imported afresh each time, so an edited scorer is never an old one.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_MARK = "__promptops_root__"


def load_target(target: str, root: Path) -> Callable[..., Any]:
    """Import `package.module:function` from under `root`.

    Raises:
        ValueError: the target is misspelt, is not a file under `root`, does not import, or names no function.
    """
    module_name, _, function_name = target.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), function_name]):
        raise ValueError(f"{target!r} is not module:function")
    file = _file(module_name, root.resolve())
    function = getattr(_imported(module_name, root.resolve(), file), function_name, None)
    if not callable(function):
        raise ValueError(f"{file.name} has no function {function_name!r}")
    found: Callable[..., Any] = function
    return found


def _file(module_name: str, root: Path) -> Path:
    base = root.joinpath(*module_name.split("."))
    for file in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
        if file.is_file():
            if not file.resolve().is_relative_to(root):
                raise ValueError(f"{file.relative_to(root)} points outside the repository")
            return file
    raise ValueError(f"there is no {base.relative_to(root)}.py in the repository")


def _imported(module_name: str, root: Path, file: Path) -> ModuleType:
    top = module_name.split(".")[0]
    _forget(top)
    if top in sys.modules or top in sys.stdlib_module_names:
        raise ValueError(f"the name {top!r} belongs to another module; rename the file")
    with _importing_from(root):
        try:
            module = importlib.import_module(module_name)
        except BaseException as error:  # whatever it is, it is the file's own
            raise ValueError(f"{file.name} does not import: {type(error).__name__}: {error}") from error
        finally:
            _mark(top)
    return module


def _family(top: str) -> list[str]:
    return [name for name in sys.modules if name == top or name.startswith(f"{top}.")]


def _mark(top: str) -> None:
    for name in _family(top):
        setattr(sys.modules[name], _MARK, True)


def _forget(top: str) -> None:
    """Drop what an earlier call imported; functions that are still held go on working."""
    if hasattr(sys.modules.get(top), _MARK):
        for name in _family(top):
            del sys.modules[name]


@contextmanager
def _importing_from(root: Path) -> Iterator[None]:
    path, wrote = list(sys.path), sys.dont_write_bytecode
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:], sys.dont_write_bytecode = path, wrote
