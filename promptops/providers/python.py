"""A function of the user's own, `module:function`, as a provider.

It gets the `Request` and returns text, a message in the OpenAI shape, or a `Completion`. An ordinary function
runs in a thread of its own so that it does not hold up the others; a thread cannot be stopped, so one that
outlives its deadline is left to itself (it does not keep the process from ending). Coroutines share one event
loop in one more thread: one that blocks holds up its like, and not the deadlines of everybody.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from promptops.errors import ConfigError, ProviderError
from promptops.messages import Completion, Request
from promptops.providers.keys import one_line
from promptops.providers.values import completion_from_value

Target = Callable[[Request], Any]


class Python:
    """A provider that calls `target`; whatever that raises becomes a ProviderError of kind `error`."""

    def __init__(self, target: Target, *, name: str) -> None:
        self._target, self._name = target, name
        self._loop: asyncio.AbstractEventLoop | None = None

    async def complete(self, request: Request) -> Completion:
        """Call the function once.

        Raises:
            ProviderError: it raised; one that it raised itself is passed on, so it may say Overloaded.
            Malformed: it returned something that is no answer.
        """
        try:
            value = await self._call(request)
        except ProviderError as error:
            if not isinstance(getattr(error, "retry_after", None), int | float | None):
                raise ProviderError(
                    f"{self._name} raised {_said(error)}, with a retry_after in no seconds"
                ) from error
            raise
        except BaseException as error:  # the user's code may raise anything
            if _is_our_own(error):
                raise
            raise ProviderError(f"{self._name} raised {_said(error)}") from error
        return completion_from_value(value, asked_model=request.model)

    async def _call(self, request: Request) -> Any:
        target = self._target
        if inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(type(target).__call__):
            return await self._later(target(request))
        value = await _in_a_thread(target, request)
        return await self._later(value) if isinstance(value, Awaitable) else value

    async def _later(self, answer: Awaitable[Any]) -> Any:
        """Await in the loop of coroutines, which begins with the first of them."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=[self._loop], name="promptops-provider", daemon=True).start()
        value, raised = await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(_outcome(answer), self._loop)
        )
        if raised is not None:
            raise raised
        return value

    async def aclose(self) -> None:
        """Let the loop of coroutines end; one that blocks it is left to itself."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)


@asynccontextmanager
async def open_python(target: Target, *, name: str) -> AsyncIterator[Python]:
    """Open a provider that calls `target`."""
    python = Python(target, name=name)
    try:
        yield python
    finally:
        await python.aclose()


def _said(error: BaseException) -> str:
    return one_line(f"{type(error).__name__}: {error}")


def _is_our_own(error: BaseException) -> bool:
    """Whether it is we who end this call: a function may be left by a cancellation of its own making."""
    task = asyncio.current_task()
    return isinstance(error, GeneratorExit) or (
        isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
    )


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=1.0))
    finally:
        loop.close()


async def _outcome(answer: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    """Return what came or was raised: a SystemExit that left a task would end the loop of all others."""
    try:
        return await answer, None
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001  # handed to the caller, who decides
        return None, error


def load_target(target: str, *, root: Path) -> Target:
    """Return the function that `module:function` names, looked up from `root` first.

    `root` stays on `sys.path`, at its end: what the function imports later is found as well, and no file there
    stands in the way of what this program imports later.

    Raises:
        ConfigError: what is missing, or what importing it raised.
    """
    where = f"python provider {target!r}"
    module_name, _, attribute = target.partition(":")
    if not module_name or module_name.startswith(".") or not attribute:
        raise ConfigError(f"{where}: expected module:function")
    with _first_on_path(str(root)):
        found: Any = _import(module_name, where=where, root=root)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"{where}: {module_name} has no {attribute}")
        found = getattr(found, part)
    if not callable(found):
        raise ConfigError(f"{where}: {attribute} is no function")
    return found  # type: ignore[no-any-return]


@contextmanager
def _first_on_path(folder: str) -> Iterator[None]:
    """Look there first for a while, and last from then on."""
    if folder in sys.path:
        yield
        return
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        sys.path.append(folder)


def _import(name: str, *, where: str, root: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise ConfigError(
                f"{where}: no module {missing} in {root} or among the installed ones"
            ) from error
        raise ConfigError(f"{where}: {name} needs the module {missing}, which is not installed") from error
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise ConfigError(
            f"{where}: importing it raised {one_line(f'{type(error).__name__}: {error}')}"
        ) from error


async def _in_a_thread(target: Target, request: Request) -> Any:
    """Call in a daemon thread: `asyncio.to_thread` has few, and the process waits for them at its end."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if answered.done():
            return
        if error is None:
            answered.set_result(value)
        else:
            answered.set_exception(error)

    def run() -> None:
        value: Any = None
        raised: BaseException | None = None
        try:
            value = context.run(target, request)
        except StopIteration as error:  # which a future refuses
            raised = RuntimeError(f"StopIteration: {error}")
        except BaseException as error:  # noqa: BLE001  # handed to the caller, who decides
            raised = error
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(settle, value, raised)
            except RuntimeError:  # the loop closed in this very moment; nobody waits any more
                return

    threading.Thread(target=run, name="promptops-provider", daemon=True).start()
    return await answered
