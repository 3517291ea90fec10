"""docs/providers.md: the function on the page answers, and the program's lines are what is sent and read."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import Overloaded
from promptops.messages import Completion, Message, Request, Usage
from promptops.providers.command import open_command
from promptops.providers.python import open_python

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")
REQUEST = Request(model="tiny", messages=(Message(role="user", content="hello"),))
PROGRAM = """
import sys
for line in sys.stdin:
    open("asked", "w").write(line)
    print({answer!r}, flush=True)
"""


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_function_on_the_page_answers() -> None:
    names: dict[str, Any] = {}
    exec(compile(block("python"), "docs/providers.md", "exec"), names)

    async def go() -> Completion:
        async with open_python(names["answer"], name="mine") as mine:
            return await mine.complete(REQUEST)

    found = asyncio.run(go())
    assert (found.text, found.usage) == ("You asked: hello", Usage(input_tokens=12, output_tokens=5))
    names["BUSY"] = True
    with pytest.raises(Overloaded, match="the queue is full"):
        asyncio.run(go())


def test_the_lines_on_the_page_are_those_of_a_program(tmp_path: Path) -> None:
    asked, answer = block("json").splitlines()
    (tmp_path / "program.py").write_text(PROGRAM.format(answer=answer))

    async def go() -> Completion:
        argv = [sys.executable, "program.py"]
        async with open_command(argv, cwd=tmp_path, environ={}, processes=1) as program:
            return await program.complete(REQUEST)

    assert asyncio.run(go()).text == "You asked: hello"
    assert json.loads((tmp_path / "asked").read_text()) == json.loads(asked)
