"""Scorers in processes of their own: what hangs, ends its process or prints costs an answer its score, not the run."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import ConfigError, RunStopped
from promptops.messages import Completion
from promptops.prompts.model import ScorerSpec
from promptops.samples import Sample, Score
from promptops.scorers.build import Recipe
from promptops.scorers.code import OutsideRange
from promptops.scorers.watch import watching
from promptops.scorers.workers import Apart, Workers, described, open_workers

CODE = """
import ctypes, os, subprocess, sys, time

print("imported")

def right(output, sample): return sample["expected"] == output
def who(output, sample): return 1.0, str(os.getpid())
def hangs(output, sample):
    while "hang" in output:
        try:
            time.sleep(0 if "burn" in output else 60)
        except BaseException:
            pass
    return True
def counts(output, sample): return sum(iter(int, 1)) if "hang" in output else 1
def ends(output, sample): os._exit(3) if "end" in output else None; return True
def leaves(output, sample): sys.exit("enough")
def crashes(output, sample): ctypes.string_at(0)
def prints(output, sample):
    print("loud"); os.write(1, b"louder\\n"); subprocess.run(["echo", "loudest"])
    return sys.stdin.read() == ""
def over(output, sample): return 7
def parent(output, sample):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    open(output, "w").write(str(child.pid))
    time.sleep(60)
"""
NAMES = ("right", "who", "hangs", "counts", "ends", "leaves", "crashes", "prints", "over", "parent")
BACKTRACKS = "a" * 40 + "b"
SAMPLE = Sample.model_validate({"sample_id": "smp_1", "inputs": {"message": "hello"}, "expected": "yes"})


def answer(text: str) -> Completion:
    return Completion(text=text, finish_reason="stop", model="m")


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Recipe]:
    (tmp_path / "po_apart.py").write_text(CODE)

    def make(name: str, **written: Any) -> Recipe:
        spec = ScorerSpec.model_validate(written or {"python": f"po_apart:{name}"})
        return Recipe(name=name, spec=spec, response_format=None, root=tmp_path, template="jinja2")

    return make


@pytest.fixture
def workers(recipe: Callable[..., Recipe]) -> Iterator[Workers]:
    recipes = {name: recipe(name) for name in NAMES}
    recipes["pattern"] = recipe("pattern", regex="(a+)+$")
    recipes["equal"] = recipe("equal", equals="{{ expected }}")
    with open_workers(recipes, limit=1, most=1) as opened:
        yield opened


@pytest.fixture
def three_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptops.scorers.workers.LOST_IN_A_ROW", 3)


def score(workers: Workers, *units: tuple[str, str]) -> list[Any]:
    return workers.submit((SAMPLE, tuple((name, answer(text)) for name, text in units))).result(timeout=60)


def is_running(process: int) -> bool:
    """Whether it runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_scores_are_those_of_this_process_in_the_order_of_the_answers(
    workers: Workers, recipe: Callable[..., Recipe]
) -> None:
    units = [(name, text) for text in ("yes", "no", "a") for name in ("right", "equal", "pattern")]
    made = {name: recipe(name) for name in ("right",)}
    made |= {
        "equal": recipe("equal", equals="{{ expected }}"),
        "pattern": recipe("pattern", regex="(a+)+$"),
    }
    here = {name: one.build() for name, one in made.items()}
    assert score(workers, *units) == [here[name].score(SAMPLE, answer(text)) for name, text in units]


@pytest.mark.parametrize(
    ("name", "text"),
    [("hangs", "hang"), ("hangs", "hang and burn"), ("counts", "hang"), ("pattern", BACKTRACKS)],
    ids=["sleeps", "loops", "loops in C", "backtracks"],
)
def test_what_hangs_costs_one_answer_its_score(workers: Workers, name: str, text: str) -> None:
    lost, after = score(workers, (name, text), ("right", "yes"))
    assert lost == Score(value=None, reason="the scorer took more than 1 s")
    assert after == Score(value=1.0)


def test_what_ends_its_process_costs_one_answer_its_score(workers: Workers) -> None:
    first, second, third, last = score(
        workers, ("ends", "end"), ("crashes", "x"), ("leaves", "x"), ("right", "yes")
    )
    assert first == Score(value=None, reason="the scorer ended its process: exit code 3")
    assert second == Score(value=None, reason="the scorer ended its process: killed by SIGSEGV")
    assert third == Score(value=None, reason="the scorer raised SystemExit: enough")
    assert last == Score(value=1.0)


def test_a_scorer_that_only_ends_its_process_stops_the_run(workers: Workers, three_in_a_row: None) -> None:
    for _ in range(2):
        assert score(workers, ("ends", "end"))[0].value is None
    assert score(workers, ("right", "yes"))[0].value == 1.0
    with pytest.raises(RunStopped, match=r"scorer 'ends' gave no score 3 times in a row.*exit code 3.*kept"):
        score(workers, ("ends", "end"))


def test_one_score_in_between_starts_the_count_anew(workers: Workers, three_in_a_row: None) -> None:
    for _ in range(2):
        score(workers, ("ends", "end"), ("ends", "end"))
        assert score(workers, ("ends", "x"))[0].value == 1.0


def test_a_worker_that_somebody_ended_is_replaced(workers: Workers) -> None:
    before = score(workers, ("who", ""))[0].reason
    os.kill(int(before), 9)
    found = [score(workers, ("who", ""))[0] for _ in range(2)]
    assert found[-1].value == 1.0
    assert found[-1].reason != before


def test_what_a_scorer_prints_never_reaches_our_output(
    workers: Workers, capfd: pytest.CaptureFixture[str]
) -> None:
    assert score(workers, ("prints", "x")) == [Score(value=1.0)]
    said = capfd.readouterr()
    assert said.out == ""
    assert {"imported", "loud", "louder", "loudest"} <= set(said.err.split())


def test_a_value_outside_of_the_range_is_handed_back_as_such(workers: Workers) -> None:
    (found,) = score(workers, ("over", "x"))
    assert isinstance(found, OutsideRange)
    assert "the scorer returned 7, outside 0 to 1" in str(found)


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks processes up in /proc")
def test_nothing_is_left_of_what_hangs_nor_of_what_it_has_started(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    told = tmp_path / "child"
    with open_workers({"who": recipe("who"), "parent": recipe("parent")}, limit=60, most=1) as workers:
        worker = int(score(workers, ("who", ""))[0].reason)
        workers.submit((SAMPLE, (("parent", answer(str(told))),)))
        while not (told.exists() and told.read_text()):
            threading.Event().wait(0.01)
    assert not is_running(worker)
    assert not is_running(int(told.read_text()))


def test_nothing_is_started_before_it_is_needed(recipe: Callable[..., Recipe]) -> None:
    before = threading.active_count()
    with open_workers({"who": recipe("who")}, limit=1):
        assert threading.active_count() == before


def test_a_function_that_only_a_process_of_its_own_cannot_make_is_named(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    with open_workers({"right": recipe("right")}, limit=1) as workers:
        (tmp_path / "po_apart.py").write_text("import os; os._exit(4)")
        with pytest.raises(
            RunStopped, match=r"^scorer 'right': importing po_apart\.py ended its process: exit code 4$"
        ):
            score(workers, ("right", "yes"))
        (tmp_path / "po_apart.py").write_text("1 / 0")
        with pytest.raises(RunStopped, match=r"po_apart\.py does not import: ZeroDivisionError"):
            score(workers, ("right", "yes"))


def test_a_function_is_described_by_a_process_of_its_own(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    (tmp_path / "po_apart.py").write_text("def f(output, sample) -> bool: ...\n")
    (tmp_path / "po_other.py").write_text(
        f"import os\nassert os.getpid() != {os.getpid()}\ndef f(o, s): ...\n"
    )
    found = described(
        {"yes": recipe("f"), "much": recipe("much", python="po_other:f", range=[-1, 5])},
    )
    assert found == {
        "yes": Apart(value_range=(0.0, 1.0), binary=True),
        "much": Apart(value_range=(-1.0, 5.0), binary=False),
    }
    assert "po_other" not in sys.modules


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os._exit(0)", "ended its process: exit code 0"),
        ("import ctypes; ctypes.string_at(0)", "ended its process: killed by SIGSEGV"),
        ("import time; time.sleep(60)", "took more than 2 s: what does it wait for?"),
    ],
)
def test_a_file_that_hangs_or_ends_its_process_when_it_is_imported_is_named(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    monkeypatch.setattr("promptops.scorers.workers.MADE_WITHIN", 2.0)
    (tmp_path / "po_apart.py").write_text(f"print('loud')\n{code}\n")
    with pytest.raises(ConfigError, match=rf"^scorer 'right': importing po_apart\.py {re.escape(said)}$"):
        described({"right": recipe("right")})


@pytest.mark.parametrize("raised", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_whatever_a_file_raises_when_it_is_imported_is_said(
    recipe: Callable[..., Recipe], tmp_path: Path, raised: str
) -> None:
    (tmp_path / "po_apart.py").write_text(f"raise {raised}('no')\n")
    with pytest.raises(ConfigError, match=rf"^scorer 'right': po_apart\.py does not import: {raised}: no$"):
        recipe("right").build()


def test_a_watch_interrupts_a_pattern_and_lets_others_be(recipe: Callable[..., Recipe]) -> None:
    pattern = recipe("pattern", regex="(a+)+$").build()
    with watching() as watch:
        if watch is None:
            pytest.skip("nothing can be interrupted here")
        for _ in range(3):
            assert watch.within(0.02, lambda: pattern.score(SAMPLE, answer(BACKTRACKS))) is None
            found = watch.within(0.02, lambda: pattern.score(SAMPLE, answer("aaa")))
            assert found == Score(value=1.0)


def test_elsewhere_than_in_the_main_thread_there_is_no_watch() -> None:
    found: list[object] = []

    def look() -> None:
        with watching() as watch:
            found.append(watch)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [None]
