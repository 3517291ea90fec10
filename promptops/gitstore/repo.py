"""The one file that talks to git.

Reads run `git` itself, because GitPython costs 109 ms to import and `status`, `log` and `show` only read;
what writes goes through GitPython's command runner, imported where it is used. No variable of an outer git (a
hook's GIT_INDEX_FILE, say) reaches a command; names of people's making stand behind `--end-of-options`.
Refused, in git's own words: what is no repository, and one whose owner git does not trust.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from promptops.errors import RepoError
from promptops.gitstore.objects import Objects, own_words

# What an outer git tells its hooks about its own repository; see `git rev-parse --local-env-vars`.
_LOCATION: Final = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
)
_SETTINGS: Final = (
    "core.quotepath=off",
    "log.showSignature=false",
    "i18n.commitEncoding=UTF-8",
    "index.sparse=false",  # a folder folded up in a sparse index, and a file put into it, break git's next status
)
_OPTIONS: Final = ("--literal-pathspecs", *(word for setting in _SETTINGS for word in ("-c", setting)))
_QUIET: Final = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "LANGUAGE": "C"}
# A commit is what its name is the hash of, and not what refs/replace or info/grafts of this clone put in its place.
_AS_IT_IS: Final = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_GRAFT_FILE": os.devnull}


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """One file of a commit: mode (`100644`, `120000` a symlink, `160000` a submodule) and object name."""

    mode: str
    oid: str

    @property
    def is_file(self) -> bool:
        return self.mode.startswith("100")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repo:
    """Where a repository keeps what: `work_tree` is None for a bare one; all paths are absolute.

    `git_dir` is this work tree's own (HEAD, index), `common_dir` the one shared by linked work trees.
    """

    git_dir: Path
    common_dir: Path
    work_tree: Path | None
    is_shallow: bool

    @classmethod
    def open(cls, path: Path | str = ".") -> Self:
        """Find the repository that a folder belongs to.

        Raises:
            RepoError: no such folder, no repository, an owner that git does not trust, no git.
        """
        start = Path(path)
        if not start.is_dir():
            raise RepoError(f"{start}: no such folder")
        asked = ("--absolute-git-dir", "--git-common-dir", "--is-bare-repository", "--is-shallow-repository")
        done = _run(start, ["rev-parse", *asked, "--show-toplevel"])
        lines = done.stdout.decode(errors="surrogateescape").split("\n")
        bare = len(lines) >= 4 and lines[2] == "true"
        if done.returncode and not bare:
            raise RepoError(_open_words(start, done.stderr))
        _refuse_planted(start, Path(lines[0]))
        return cls(
            git_dir=Path(lines[0]),
            common_dir=(start / lines[1]).resolve(),
            work_tree=None if bare else Path(lines[4]),
            is_shallow=lines[3] == "true",
        )

    @property
    def home(self) -> Path:
        """Where commands run: the top of the work tree, or the bare repository."""
        return self.work_tree or self.git_dir

    @property
    def is_bare(self) -> bool:
        return self.work_tree is None

    def read(self, *arguments: str, ok: tuple[int, ...] = (0,), stdin: bytes = b"") -> bytes:
        """Run one reading command and return what it printed.

        Raises:
            RepoError: another return code than those that are `ok`, in git's own words.
        """
        done = _run(self.home, arguments, stdin=stdin)
        if done.returncode not in ok:
            raise RepoError(f"git {arguments[0]}: {own_words(done.stderr.decode(errors='replace'))}")
        return done.stdout

    def line(self, *arguments: str) -> str | None:
        """Run a reading command that prints one line; None where it fails or prints nothing."""
        done = _run(self.home, arguments)
        return (
            done.stdout.decode(errors="surrogateescape").rstrip("\n") or None if not done.returncode else None
        )

    def rev_parse(self, name: str) -> str | None:
        """Return the commit that a name stands for, None if there is none."""
        if not name or "\0" in name or "\n" in name:
            return None
        return self.line("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")

    def head(self) -> str | None:
        """Return the commit of HEAD, None before the first commit."""
        return self.rev_parse("HEAD")

    def branch(self) -> str | None:
        """Return the name of the branch that is checked out, None when HEAD is detached."""
        ref = self.line("symbolic-ref", "--quiet", "HEAD")
        return ref.removeprefix("refs/heads/") if ref else None

    def config(self, name: str) -> str | None:
        """Return one value of git's configuration."""
        return self.line("config", "--get", name)

    def identity(self) -> str:
        """Return `Name <address>` of who would commit.

        Raises:
            RepoError: git does not know who you are.
        """
        text = self.read("var", "GIT_COMMITTER_IDENT").decode(errors="replace")
        return text[: text.rindex(">") + 1]

    def remote(self) -> str | None:
        """Return the remote that counts: `origin`, else the only one there is."""
        names = self.remotes()
        return "origin" if "origin" in names else names[0] if len(names) == 1 else None

    def remotes(self) -> list[str]:
        return self.read("remote").decode(errors="surrogateescape").split("\n")[:-1]

    def refs(self, *patterns: str) -> dict[str, tuple[str, str]]:
        """Return full name → (commit, what it is a symbolic name for or ``""``) of refs."""
        form = "--format=%(objectname)%00%(symref)%00%(refname)"
        lines = self.read("for-each-ref", form, "--end-of-options", *patterns).decode(
            errors="surrogateescape"
        )
        rows = (line.split("\0") for line in lines.split("\n") if line)
        return {name: (oid, target) for oid, target, name in rows}

    def names(self) -> list[str]:
        """Return the short names of branches and tags, for suggestions."""
        form = "--format=%(refname:lstrip=2)"
        return (
            self.read("for-each-ref", form, "refs/heads", "refs/tags", "refs/remotes")
            .decode()
            .split("\n")[:-1]
        )

    def tree(self, commit: str, folder: str) -> dict[str, TreeEntry]:
        """Return the files of a commit under a folder (`.` for all): path from the top → entry."""
        return self.tree_paths(commit, [] if folder in ("", ".") else [f"{folder.rstrip('/')}/"])

    def tree_paths(self, commit: str, paths: Iterable[str]) -> dict[str, TreeEntry]:
        """Return these files of a commit, as far as it has them: path from the top → entry."""
        rows = self._listed(commit, *paths, deep=True)
        return {path: TreeEntry(mode=mode, oid=oid) for path, mode, oid in rows}

    def files(self, commit: str, *, without: Collection[str]) -> dict[str, TreeEntry]:
        """Return the files of a commit but those in some folders, whose trees are not read."""
        found: dict[str, TreeEntry] = {}
        above, whole = [""], list[str]()
        while above:
            for path, mode, oid in self._listed(commit, *filter(None, [above.pop()])):
                if path in without:
                    continue
                if mode != "040000":
                    found[path] = TreeEntry(mode=mode, oid=oid)
                elif any(one.startswith(f"{path}/") for one in without):
                    above.append(f"{path}/")
                else:
                    whole.append(f"{path}/")
        for chunk in (whole[at : at + 200] for at in range(0, len(whole), 200)):
            found |= self.tree_paths(commit, chunk)
        return found

    def folders(self, commit: str, folder: str) -> dict[str, str]:
        """Return name → tree of the folders right in a folder of a commit; none where it has no such folder."""
        rows = self._listed(commit, f"{folder}/")
        return {path.rpartition("/")[2]: oid for path, mode, oid in rows if mode == "040000"}

    def differences(self, one: str, other: str) -> dict[str, TreeEntry | None]:
        """Return the files that differ between two commits as the other has them, None where it has not."""
        asked = ("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--end-of-options")
        fields = self.read(*asked, one, other).decode(errors="surrogateescape").split("\0")[:-1]
        found: dict[str, TreeEntry | None] = {}
        for about, path in zip(fields[::2], fields[1::2], strict=True):
            _, mode, _, oid, _ = about.split(" ")
            found[path] = None if mode == "000000" else TreeEntry(mode=mode, oid=oid)
        return found

    def _listed(self, commit: str, *paths: str, deep: bool = False) -> Iterator[tuple[str, str, str]]:
        """Yield path, mode and object name of what `git ls-tree` lists, with `deep` the files of all folders."""
        raw = self.read(
            "ls-tree", *(["-r"] if deep else []), "-z", "--full-tree", "--end-of-options", commit, *paths
        )
        for row in raw.decode(errors="surrogateescape").split("\0")[:-1]:
            about, path = row.split("\t", 1)
            mode, _, oid = about.split(" ")
            yield path, mode, oid

    def changed(self, *paths: str) -> dict[str, str]:
        """Return path → git's two letters (index, work tree) of what is not as in HEAD."""
        arguments = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"]
        raw = self.read(*arguments, "--", *paths).decode(errors="surrogateescape")
        return {row[3:]: row[:2] for row in raw.split("\0")[:-1]}

    def staged(self, *paths: str) -> dict[str, str]:
        """Return path → object name in the index."""
        raw = self.read("ls-files", "--stage", "-z", "--", *paths).decode(errors="surrogateescape")
        rows = (row.split("\t", 1) for row in raw.split("\0")[:-1])
        return {path: about.split(" ")[1] for about, path in rows}

    def is_ancestor(self, one: str, other: str) -> bool:
        """Whether a commit is, or comes before, another; False for one that is not here."""
        return _run(self.home, ["merge-base", "--is-ancestor", one, other]).returncode == 0

    def worktrees(self) -> dict[str, Path]:
        """Return full branch name → the work tree where it is checked out, this one included."""
        found, place = {}, Path()
        for line in self.read("worktree", "list", "--porcelain").decode(errors="surrogateescape").split("\n"):
            if line.startswith("worktree "):
                place = Path(line.removeprefix("worktree "))
            elif line.startswith("branch "):
                found[line.removeprefix("branch ")] = place
        return found

    def cut(self) -> frozenset[str]:
        """Return the commits at which a shallow clone ends: their parents exist, but not here."""
        if not self.is_shallow:
            return frozenset()
        return frozenset((self.common_dir / "shallow").read_text().split())

    @contextmanager
    def objects(self) -> Iterator[Objects]:
        """Open the one `git cat-file --batch` that reads everything inside the block."""
        command, pipe = ["git", "cat-file", "--batch"], subprocess.PIPE
        with (
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(
                command, cwd=self.home, env=_environment(), stdin=pipe, stdout=pipe, stderr=complaints
            ) as process,
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            yield Objects(process.stdin, process.stdout, complaints)

    def read_many(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return name → content of what exists; a name is an object's, or `COMMIT:path`."""
        with self.objects() as objects:
            return objects.read_many(names)

    def write(self, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run one writing command through GitPython and return what it printed.

        Raises:
            GitSaidNo: it failed; the words are git's, or its hook's.
        """
        code, out, err = self.attempt(*arguments, stdin=stdin, env=env)
        if code:
            raise GitSaidNo(arguments[0], code, out, err)
        return out

    def attempt(
        self, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run one writing command through GitPython; return code, standard output, standard error."""
        return self._execute(["git", *_OPTIONS, *arguments], stdin, env)

    def run_hook(self, name: str, *arguments: str, env: Mapping[str, str]) -> tuple[int, str, str] | None:
        """Run one of the repository's hooks as `git commit` would; None where there is none."""
        path = self.home / self.read("rev-parse", "--git-path", f"hooks/{name}").decode().rstrip("\n")
        if not (path.is_file() and os.access(path, os.X_OK)):
            return None
        code, out, err = self.attempt("hook", "run", name, "--", *arguments, env=env)
        if code and "is not a git command" in err:  # before git 2.36
            return self._execute([str(path), *arguments], None, env)
        return code, out, err

    def _execute(
        self, command: list[str], stdin: bytes | None, env: Mapping[str, str] | None
    ) -> tuple[int, str, str]:
        import git

        with tempfile.TemporaryFile() as text:
            text.write(stdin or b"")
            text.seek(0)
            runner = git.Git(self.home)
            variables = {"LC_ALL": "C", **self._own_place(), **(env or {})}
            result = runner.execute(
                command, istream=text, env=variables, with_extended_output=True, with_exceptions=False
            )
        code, out, err = result
        return code, out if isinstance(out, str) else out.decode(errors="replace"), err

    def _own_place(self) -> dict[str, str]:
        """Say again where this repository is, if an outer git has said otherwise; GitPython cannot unset."""
        place = {
            "GIT_DIR": str(self.git_dir),
            "GIT_INDEX_FILE": str(self.git_dir / "index"),
            "GIT_COMMON_DIR": str(self.common_dir),
            "GIT_OBJECT_DIRECTORY": str(self.common_dir / "objects"),
        }
        if self.work_tree is not None:
            place["GIT_WORK_TREE"] = str(self.work_tree)
        return place if any(name in os.environ for name in _LOCATION) else {}


class GitSaidNo(RepoError):
    """A writing command failed; carries its words for whoever can tell what they mean."""

    def __init__(self, command: str, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        super().__init__(f"git {command}: {own_words(err or out)}")


def _refuse_planted(start: Path, git_dir: Path) -> None:
    """Refuse a repository that another one's commits hold as files: who wrote those would choose what git runs."""
    if not start.resolve().is_relative_to(git_dir):
        return
    for outer in (one for one in git_dir.parents if (one / ".git").exists()):
        held = _run(outer, ["ls-files", "-z", "--", str(git_dir.relative_to(outer))])
        if held.returncode or held.stdout:  # who cannot be asked is not believed
            raise RepoError(
                f"{git_dir}: looks like a repository among the files of another one; "
                "if it is yours, move it out of there, and if it came with the files, do not trust them"
            )


def _open_words(start: Path, stderr: bytes) -> str:
    words = own_words(stderr.decode(errors="replace"))
    if "not a git repository" in words:
        return f"{start.resolve()}: not a git repository; run git init first, or name the repository with -C"
    if "must be run in a work tree" in words:
        return f"{start.resolve()}: inside the .git folder; go to the work tree, or name it with -C"
    return words


def _run(home: Path, arguments: Iterable[str], *, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = ["git", *_OPTIONS, *arguments]
    try:
        return subprocess.run(
            command, cwd=home, env=_environment(), input=stdin, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise RepoError("git is not installed, or not on the PATH") from error
    except ValueError as error:
        raise RepoError(f"git {arguments}: a name with a NUL character") from error


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _LOCATION}
    return {**kept, **_QUIET, **_AS_IT_IS}
