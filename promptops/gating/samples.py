"""What a change does to the samples that judge it: removed or edited ones are said, and none of it takes effect."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from promptops.errors import PromptopsError
from promptops.gating.suspects import SAMPLE_ENDS
from promptops.gitstore.trees import normal
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
    return _found(prompt, world.top)


def _found(prompt: Prompt, top: Path) -> frozenset[str]:
    try:
        files = find_samples(prompt.spec.samples, prompt_path=prompt.path, root=top, prompt_id=prompt.id)
    except PromptopsError:
        return frozenset()
    return frozenset(path.relative_to(top.resolve()).as_posix() for path in files)


def eased(world: Workspace, commit: str, base: Prompt, changed: Collection[str]) -> Eased:
    """Compare the base's samples of a prompt with those that `commit` has in its place; only changed files are read."""
    touched = sorted(path for path in changed if path.endswith(SAMPLE_ENDS))
    own = sample_paths(world, base)
    if not own or not touched:
        return Eased()
    with TemporaryDirectory(prefix="promptops-head-") as name:
        _lay_out(world, commit, touched, Path(name))
        theirs = _found(base, Path(name))
        try:
            before = _hashes(sorted(own & set(touched)), world.top)
            after = _hashes(sorted(theirs), Path(name))
        except PromptopsError as error:
            return Eased(unreadable=str(error).split("\n")[0])
    return Eased(
        removed=len(before.keys() - after.keys()),
        edited=sum(before[one] != after[one] for one in before.keys() & after.keys()),
        added=len(after.keys() - before.keys()),
    )


def _hashes(paths: list[str], top: Path) -> dict[str, str]:
    files = [top / path for path in paths]
    return {sample.sample_id: content_hash(sample) for sample in read_files(files, root=top)}


def _lay_out(world: Workspace, commit: str, paths: list[str], top: Path) -> None:
    """Write these files as the change has them where they would stand, in a folder of our own: links lead nowhere."""
    entries = {path: one for path, one in world.repo.tree_paths(commit, paths).items() if one.is_file}
    contents = world.repo.read_many([entry.oid for entry in entries.values()])
    for path, entry in entries.items():
        place = top / normal(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(contents.get(entry.oid, b""))
