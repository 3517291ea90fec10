"""Every number in docs/statistics.md is computed here or in its pictures, and the pictures are up to date."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from promptops.stats.looks import alpha_at
from promptops.stats.methods import METHODS
from promptops.stats.planning import minimum_n_zero_discordant, sample_size
from promptops.stats.power import chance_of_passing

ROOT = Path(__file__).parents[2]
PAGE = " ".join((ROOT / "docs" / "statistics.md").read_text(encoding="utf-8").split())
ENGINE = "memory"  # drawn by benchmarks/memory.py for docs/engine.md
PICTURES = [one for one in sorted((ROOT / "docs" / "pictures").glob("*.svg")) if one.stem != ENGINE]
LEVEL = alpha_at(1)


def words_of(picture: str) -> list[str]:
    tree = ElementTree.parse(ROOT / "docs" / "pictures" / f"{picture}.svg")
    return ["".join(one.itertext()) for one in tree.iter("{http://www.w3.org/2000/svg}text")]


def after(picture: str, pattern: str) -> str:
    """The one number in a picture's words."""
    found = [match[1] for words in words_of(picture) if (match := re.search(pattern, words))]
    assert len(found) == 1, found
    return found[0]


def test_the_pictures_are_what_the_script_draws() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "pictures.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "nothing out of date\n"), run.stderr


def test_every_picture_is_shown_and_every_shown_one_exists() -> None:
    shown = re.findall(r"\(pictures/(\w+)\.svg\)", PAGE)
    assert sorted(shown) == [file.stem for file in PICTURES]


@pytest.mark.parametrize("file", PICTURES, ids=[file.stem for file in PICTURES])
def test_a_picture_is_small_told_in_words_and_inside_its_frame(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text) < 10_000
    tree = ElementTree.fromstring(text)
    assert tree.find("{http://www.w3.org/2000/svg}title") is not None
    assert len(tree.find("{http://www.w3.org/2000/svg}desc").text) > 80
    assert "prefers-color-scheme:dark" in text
    width, height = (float(size) for size in tree.attrib["viewBox"].split()[2:])
    for one in tree.iter("{http://www.w3.org/2000/svg}text"):
        length = 6.4 * len("".join(one.itertext()))
        start = (
            float(one.attrib["x"])
            - {"start": 0, "middle": length / 2, "end": length}[one.attrib["text-anchor"]]
        )
        assert start > -1, one.itertext()
        assert start + length < width + 1, "".join(one.itertext())
        assert 0 < float(one.attrib["y"]) < height


def test_the_chances_of_passing_are_computed() -> None:
    chances = [round(100 * chance_of_passing(n, margin=0.05, alpha=LEVEL)) for n in (30, 100, 300)]
    assert "12 % at 30 samples, 39 % at 100 and 82 % at 300" in PAGE
    assert chances == [12, 39, 82]


def test_the_identical_pairs_are_counted() -> None:
    assert [minimum_n_zero_discordant(margin, LEVEL) for margin in (0.05, 0.02, 0.01)] == [63, 160, 321]
    assert round(100 * (1 - LEVEL ** (1 / 30)), 1) == 10.2
    assert "by 10.2 points" in PAGE
    assert (
        "63 identical pairs rule out a fall of 5 points at a first look, 160 one of 2 points, 321 one of 1 point"
        in PAGE
    )
    assert after("thirty", r"fallen by ([\d.]+) points") == "10.2"


def test_looks_share_the_level() -> None:
    assert round(100 * (1 - 0.95**5)) == 23
    assert "a chance of 23 %" in PAGE
    assert [alpha_at(look) for look in (1, 2)] == pytest.approx([0.04, 0.005])
    assert "4 % for the first, 0.5 % for the second" in PAGE
    assert sum(alpha_at(look) for look in range(1, 50)) == pytest.approx(0.05)


def test_conversations_are_counted_as_in_the_picture() -> None:
    misses = [
        match[1] for words in words_of("clusters") if (match := re.match(r"(\d+) of 36 intervals", words))
    ]
    assert f"{misses[0]} of these 36 experiments claim" in PAGE
    assert f"counted as 20 conversations, {misses[1]} does" in PAGE
    assert round(200 / (1 + (10 - 1) * 0.3)) == 54
    assert "worth 54 that stand alone" in PAGE


def test_the_price_of_repeats_is_computed() -> None:
    errors = [((0.02 + 2 * 0.08 / repeats) / (400 / repeats)) ** 0.5 for repeats in (1, 10)]
    assert [f"{error:.3f}" for error in errors] == ["0.021", "0.030"]
    assert "0.021 with 400 samples asked once and 0.030 with 40 asked ten times" in PAGE


def test_the_sequential_picture_tells_the_numbers_of_the_page() -> None:
    passed, stopped = (after("sequential", rf"{status} after (\d+)") for status in ("PASS", "REGRESSION"))
    assert f"passes after {passed} samples" in PAGE
    assert f"is stopped after {stopped};" in PAGE
    planned = sample_size(sd_diff=0.1**0.5, margin=0.05, alpha=LEVEL).n
    assert f"would have planned {planned} for both" in PAGE
    assert after("sequential", r"fixed size: (\d+)") == str(planned)
    assert 1 / LEVEL == 25


def test_creep_and_missing_answers_are_as_drawn() -> None:
    assert after("creep", r"(v\d): held, 8 points below v1") == "v3"
    assert "here v3 lies 8 points below v1 and is held" in PAGE
    said = words_of("missing")
    for words, status in (("3 of 300 missing", "PASS"), ("12 of 300 missing", "INCONCLUSIVE")):
        assert said[said.index(words) + 1] == status


def test_the_page_names_functions_that_exist_and_methods_that_are_taken() -> None:
    homes = {
        "rater_agreement": "agreement",
        "ppi_mean_difference": "judges",
        "position_bias_test": "judges",
        "e_detector": "streams",
        "compare_windows": "windows",
        "psi": "streams",
    }
    for name, module in homes.items():
        assert f"`promptops.stats.{module}.{name}`" in PAGE
        assert callable(getattr(importlib.import_module(f"promptops.stats.{module}"), name))
    sources = " ".join(one.formula for one in METHODS)
    for name in ("Tango", "McNemar", "Hall", "Clopper", "Holm", "Benjamini", "log ratios", "CR2"):
        assert name in PAGE
        assert name in sources
