"""Where a command works: the repository, the configuration that holds there, and the folders of both.

`promptops.yaml` is looked for from the current folder upwards to the top of the repository; everything it names
is relative to it. A bare repository has its configuration in HEAD.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from promptops.config import FILE_NAME, Config, parse_config
from promptops.documents import decode
from promptops.errors import ConfigError, InvalidFile, NotFound, Problem
from promptops.gitstore.repo import Repo

STATE = ".promptops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """`base` is the folder of the configuration, relative to the top of the repository, `""` for the top itself.

    `environ` are the variables of the process: keys are read from it by name, and from nowhere else.
    """

    repo: Repo
    config: Config
    base: str
    environ: Mapping[str, str]

    @property
    def top(self) -> Path:
        """The top of the work tree.

        Raises:
            ConfigError: a bare repository has none.
        """
        if self.repo.work_tree is None:
            raise ConfigError("this is a bare repository; that needs a work tree: clone it first")
        return self.repo.work_tree

    @property
    def folder(self) -> Path:
        """Where the configuration is; `.promptops/` and providers' targets are beside it."""
        return self.top / self.base

    @property
    def state(self) -> Path:
        """`.promptops/`: the cache and the runs, ignored by git."""
        return self.folder / STATE

    @property
    def roots(self) -> tuple[str, ...]:
        """The folders of prompts, relative to the top of the repository."""
        # As git spells them: with `./prompts` nothing below it would be found, and nothing seem to be live.
        found = (posixpath.normpath(posixpath.join(self.base, root)) for root in self.config.prompts)
        return tuple(dict.fromkeys(found))

    def root_of(self, path: str) -> str:
        """Return the prompts folder that a prompt file stands in."""
        return next((root for root in self.roots if path.startswith(f"{root}/")), self.roots[0])

    def environment(self, name: str | None) -> str:
        """Return the environment that is meant; None is the one that is live.

        Raises:
            NotFound: the configuration has no such environment.
        """
        if name is None:
            return self.config.live
        if name not in self.config.environments:
            known = self.config.environments
            raise NotFound("environment", name, known, hint=f"there is {', '.join(known)}")
        return name


def open_workspace(folder: Path, environ: Mapping[str, str]) -> Workspace:
    """Open the repository that a folder is in.

    Raises:
        RepoError: no repository.
        InvalidFile: the configuration has problems.
    """
    repo = Repo.open(folder)
    if repo.work_tree is None:
        return committed_workspace(repo, "HEAD", folder, environ)
    top = repo.work_tree.resolve()
    here = folder.resolve()
    base = _base(here, top)
    relative = base.relative_to(top).as_posix()
    return Workspace(
        repo=repo,
        config=_read(base / FILE_NAME, top),
        base="" if relative == "." else relative,
        environ=environ,
    )


def committed_workspace(repo: Repo, commit: str, folder: Path, environ: Mapping[str, str]) -> Workspace:
    """Open a repository with the configuration that a commit has for this folder, whatever lies in the work tree.

    Raises:
        InvalidFile: that configuration has problems.
    """
    start = ""
    if repo.work_tree is not None:
        start = folder.resolve().relative_to(repo.work_tree.resolve()).as_posix()
    chain = [place.as_posix() for place in (PurePosixPath(start), *PurePosixPath(start).parents)]
    names = {place: posixpath.normpath(posixpath.join(place, FILE_NAME)) for place in chain}
    texts = repo.read_many([f"{commit}:{name}" for name in names.values()])
    for place, name in names.items():
        if (text := texts.get(f"{commit}:{name}")) is not None:
            config = _parsed(decode(text, path=name), name)
            return Workspace(repo=repo, config=config, base="" if place == "." else place, environ=environ)
    holding = [
        place for place in chain if repo.tree(commit, posixpath.normpath(posixpath.join(place, "prompts")))
    ]
    base = holding[0] if holding else ""
    return Workspace(repo=repo, config=Config(), base="" if base == "." else base, environ=environ)


def _base(here: Path, top: Path) -> Path:
    """The nearest folder with a configuration, else the nearest with a `prompts` folder, else the top."""
    chain = [folder for folder in (here, *here.parents) if folder.is_relative_to(top)]
    for wanted in (
        lambda folder: (folder / FILE_NAME).is_file(),
        lambda folder: (folder / "prompts").is_dir(),
    ):
        found = next(filter(wanted, chain), None)
        if found is not None:
            return found
    return top


def _read(path: Path, top: Path) -> Config:
    name = path.relative_to(top).as_posix()
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise InvalidFile([Problem(name, 0, 0, error.strerror or str(error))]) from error
    return _parsed(decode(raw, path=name), name)


def _parsed(text: str, name: str) -> Config:
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.split("\n")):
        return Config()
    return parse_config(text, path=name)
