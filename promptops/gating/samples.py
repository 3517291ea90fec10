"""What a change does to the samples that judge it: removed or edited ones are said, and none of it takes effect."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from promptops.errors import NothingToDo, PromptopsError
from promptops.gating.suspects import SAMPLE_ENDS
from promptops.importers.digest import content_hash
from promptops.importers.find import find_samples, read_files
from promptops.prompts.model import Prompt
from promptops.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Eased:
    """How the samples of one prompt differ: counts, and where the change's cannot be read."""

    removed: int = 0
    edited: int = 0
    added: int = 0
    unreadable: str = ""

    def sentence(self) -> str:
        """Return what people must know, nothing where samples were only added."""
        if self.unreadable:
            return f"its samples cannot be read as the change leaves them: {self.unreadable}"
        parts = [
            f"{count} {'sample was' if count == 1 else 'samples were'} {what}"
            for count, what in ((self.removed, "removed"), (self.edited, "edited"))
            if count
        ]
        return f"{' and '.join(parts)}; the base's samples judge" if parts else ""


def sample_paths(world: Workspace, prompt: Prompt) -> frozenset[str]:
    """Return the files of the base that hold a prompt's samples; none where there are none."""
    try:
        files = find_samples(
            prompt.spec.samples, prompt_path=prompt.path, root=world.top, prompt_id=prompt.id
        )
    except PromptopsError:
        return frozenset()
    return frozenset(path.relative_to(world.top.resolve()).as_posix() for path in files)


def eased(world: Workspace, commit: str, base: Prompt, changed: Collection[str]) -> Eased:
    """Compare the base's samples of a prompt with those that `commit` has in its place; only changed files are read."""
    touched = sorted(
        path for path in changed if path.endswith(SAMPLE_ENDS) and path in _concerned(world, base, changed)
    )
    if not touched:
        return Eased()
    before = _hashes([world.top / path for path in touched if (world.top / path).is_file()], world.top)
    with TemporaryDirectory(prefix="promptops-head-") as name:
        after, unreadable = _head(world, commit, touched, Path(name))
    if unreadable:
        return Eased(unreadable=unreadable)
    return Eased(
        removed=len(before.keys() - after.keys()),
        edited=sum(before[one] != after[one] for one in before.keys() & after.keys()),
        added=len(after.keys() - before.keys()),
    )


def _concerned(world: Workspace, base: Prompt, changed: Collection[str]) -> frozenset[str]:
    """The base's files, and beside them what the change may have moved their samples to."""
    own = sample_paths(world, base)
    folders = {path.rpartition("/")[0] for path in own}
    return own | {path for path in changed if own and path.rpartition("/")[0] in folders}


def _hashes(files: list[Path], top: Path) -> dict[str, str]:
    return {sample.sample_id: content_hash(sample) for sample in read_files(files, root=top)}


def _head(world: Workspace, commit: str, paths: list[str], folder: Path) -> tuple[dict[str, str], str]:
    """Read these files as the change has them, from a folder of our own: links and names lead nowhere."""
    entries = world.repo.tree_paths(commit, paths)
    contents = world.repo.read_many([entry.oid for entry in entries.values() if entry.is_file])
    files = []
    for number, path in enumerate(
        path for path in paths if path in entries and entries[path].oid in contents
    ):
        files.append(folder / f"{number}{Path(path).suffix}")
        files[-1].write_bytes(contents[entries[path].oid])
    try:
        return (_hashes(files, folder) if files else {}), ""
    except NothingToDo:
        return {}, ""
    except PromptopsError as error:
        return {}, str(error).split("\n")[0]
