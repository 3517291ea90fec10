"""One commit of exactly the files of a release, without touching anything else of the user's.

The commit is built by plumbing on a temporary index, past the hooks and signed as configured, pushed if
that is wanted, and moved in by compare-and-swap. If the branch is checked out here, the files go into index
and work tree *before* the branch moves: killed in between, the user's next plain commit keeps the release. A
note in the git folder says what was begun; the next call finishes it or takes it back, as the branch tells. It
stays until what was done has been said.

Refused: a release path that is dirty or staged, a locked index, a detached HEAD without a branch's name, a hook
that says no or changes the release; without a push also a branch that another work tree or a rebase holds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from promptops.errors import RepoError
from promptops.gitstore.mending import Note, drop_note, finish_interrupted, take_back, write_note
from promptops.gitstore.moving import Committed, branch_to_move, held_by, move_branch, moved
from promptops.gitstore.objects import own_words
from promptops.gitstore.push import PushUnknown, push_commit
from promptops.gitstore.repo import Repo
from promptops.gitstore.staging import Change, alone, index_lines, lying, stage


def commit_files(
    repo: Repo,
    files: Mapping[str, bytes],
    message: str,
    *,
    branch: str | None = None,
    expected_parent: str | None = None,
    remote: str | None = None,
) -> Committed:
    """Commit these files (path from the top → content) on a branch, and push them first if `remote` is given.

    `branch` is a short name, None the one checked out. `expected_parent` is the commit that the release was
    worked out on, None the branch's own. With a remote the commit is built on `expected_parent` and pushed
    before anything local moves, so that a refusal leaves everything as it was; the local branch follows if it
    stands on that parent and nothing holds it. Who calls this says what was done, and then `forget`s it.

    Raises:
        LostRace: the branch is no longer where it was expected, or another release is under way here.
        PushRefused: the remote takes no push to this branch; the commit is made, and nothing points at it.
        RepoError: one of the refusals above, in git's or the hook's own words.
    """
    for path in files:
        check_path(path)
    with alone(repo):
        finish_interrupted(repo, online=remote is not None)
        name = branch_to_move(repo, branch)
        checked_out = name == repo.branch() and not repo.is_bare
        held = None if checked_out else held_by(repo, name)
        parent, lands = _parent(repo, name, expected_parent, held, pushed=remote is not None)
        if lands and checked_out:
            _check_free(repo, files)
        made = _build(repo, parent, files, message)
        done = Committed(commit=made.commit, parent=parent, branch=name, local=lands, remote=remote)
        note = Note(done=done, changes=made.changes)
        if remote is not None:
            note = _push(repo, note, remote)
        return _move_in(repo, note, checked_out=checked_out) if lands else done


def _parent(
    repo: Repo, name: str, expected: str | None, held: str | None, *, pushed: bool
) -> tuple[str, bool]:
    """Return the commit to build on, and whether the branch here follows: what is pushed does not need it to."""
    here = repo.rev_parse(f"refs/heads/{name}")
    parent = expected or here
    if parent is None or (here is None and not pushed):
        raise RepoError(f"no branch called {name!r} here; fetch it, or make a first commit")
    if here != parent and not pushed:
        raise moved(name)
    if held and not pushed:
        raise RepoError(held)
    return parent, here == parent and held is None


def _push(repo: Repo, note: Note, remote: str) -> Note:
    """Push before anything moves here; the note tells who comes after a kill what to ask the remote."""
    write_note(repo, note)
    try:
        push_commit(repo, note.done.commit, branch=note.done.branch, remote=remote)
    except PushUnknown:
        raise
    except RepoError:
        drop_note(repo)
        raise
    note = replace(note, pushed=True)
    with suppress(RepoError):  # then the remote is asked
        write_note(repo, note)
    return note


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    commit: str
    changes: tuple[Change, ...]


def check_path(path: str) -> None:
    """Refuse a path that is not one of a file inside the repository.

    Raises:
        RepoError: absolute, with `..`, `.git` or a line break in it.
    """
    parts = PurePosixPath(path).parts
    if (
        not parts
        or path.startswith("/")
        or any(part in ("..", ".") or part.lower() == ".git" for part in parts)
    ):
        raise RepoError(f"{path!r}: not a path inside the repository")
    if any(char in path for char in "\0\n\t\\"):
        raise RepoError(f"{path!r}: a path with a control character or a backslash")


def _check_free(repo: Repo, files: Collection[str]) -> None:
    """Refuse where index and work tree cannot follow; also what git was told not to look at is looked at."""
    assert repo.work_tree is not None
    if (repo.git_dir / "index.lock").exists():
        raise RepoError(
            f"the index is locked ({repo.git_dir / 'index.lock'}); let the other git command finish"
        )
    for path in files:
        for parent in list(PurePosixPath(path).parents)[:-1]:
            if (repo.work_tree / parent).is_symlink():
                raise RepoError(f"{parent}: is a symbolic link; releases are kept in real folders")
    tracked = repo.staged(*files)
    other = [path for path, name in lying(repo, files).items() if tracked.get(path) != name]
    if dirty := {*repo.changed(*files), *other}:
        listed = ", ".join(sorted(dirty))
        raise RepoError(
            f"not as committed: {listed}; commit, restore or delete what was changed by hand first"
        )


def _build(repo: Repo, parent: str, files: Mapping[str, bytes], message: str) -> _Made:
    """Make the commit object; nothing points at it yet."""
    with tempfile.TemporaryDirectory(prefix="promptops-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index"), "GIT_EDITOR": ":"}
        repo.write("read-tree", parent, env=index)
        old = {path: entry.oid for path, entry in repo.tree_paths(parent, files).items()}
        changes = tuple(
            Change(
                path=path, old=old.get(path), new=repo.write("hash-object", "-w", "--stdin", stdin=content)
            )
            for path, content in sorted(files.items())
        )
        index_lines(repo, [change.new_line for change in changes], env=index)
        tree = repo.write("write-tree", env=index)
        if tree == repo.line("rev-parse", f"{parent}^{{tree}}"):
            raise RepoError("nothing to commit: these files are in the branch already")
        text = Path(folder) / "COMMIT_EDITMSG"
        text.write_text(message.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
        _hooks(repo, text, index)
        if repo.write("write-tree", env=index) != tree:
            raise RepoError(
                "the pre-commit hook changed the files of the release; exclude the releases folder there"
            )
        return _Made(commit=_commit_tree(repo, tree, parent, text), changes=changes)


def _hooks(repo: Repo, text: Path, index: Mapping[str, str]) -> None:
    for name, arguments in (("pre-commit", ()), ("commit-msg", (str(text),))):
        done = repo.run_hook(name, *arguments, env=index)
        if done is not None and done[0]:
            code, out, err = done
            raise RepoError(f"the {name} hook refused the release (exit {code}): {own_words(err or out)}")


def _commit_tree(repo: Repo, tree: str, parent: str, text: Path) -> str:
    message = repo.write("stripspace", stdin=text.read_bytes())
    if not message:
        raise RepoError("the commit-msg hook left no message")
    signed = ["-S"] if signs(repo) else []
    return repo.write("commit-tree", *signed, "-p", parent, tree, stdin=f"{message}\n".encode())


def signs(repo: Repo) -> bool:
    """Return whether git is told to sign what is committed here."""
    return repo.line("config", "--type=bool", "--get", "commit.gpgsign") == "true"


def _move_in(repo: Repo, note: Note, *, checked_out: bool) -> Committed:
    """Move the branch, with index and work tree one step ahead of it; take them back if it does not move.

    What has been pushed is released, whatever happens here: `git pull` joins the two.
    """
    done, begun = note.done, False
    try:
        if checked_out:  # again, because hooks and the push may have taken their time
            _check_free(repo, [change.path for change in note.changes])
        if done.remote is None:
            write_note(repo, note)
        begun = True
        if checked_out:
            stage(repo, note.changes)
        move_branch(repo, done)
    except RepoError:
        if begun:
            _take_back(repo, note)
        if done.remote is None:
            raise
        return replace(done, local=False)
    return done


def _take_back(repo: Repo, note: Note) -> None:
    with suppress(RepoError):  # the index is locked: the note stays, and the next call mends
        take_back(repo, note)
        if note.done.remote is None:
            drop_note(repo)
