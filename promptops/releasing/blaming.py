"""`promptops blame`: each line of a prompt with its commit, the version that first released it, and where it is live.

A line's version is the earliest of the unbroken row of versions, up to the one that is looked at, that all hold it:
what was taken out and written again counts from the second time. That rests on the frozen sources, which every clone
has; commits and authors rest on history, and a shallow clone says where its own ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from promptops.gitstore.blame import Origin, origins
from promptops.gitstore.past import Past, past
from promptops.gitstore.releases import Releases, read_releases, release_ref
from promptops.prompts.lines import lines_of, same_lines
from promptops.prompts.paths import places
from promptops.records import Release
from promptops.releasing.firsts import First, first_of
from promptops.releasing.subject import Subject, subject_of
from promptops.workspace import Workspace

_OWN = ""  # what the prompt's own text is called among those of its partials


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line; `origin` is None where no commit in sight has it, `version` where no version holds it.

    `live` are the environments whose live version holds it.
    """

    number: int
    text: str
    origin: Origin | None
    version: int | None
    live: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """The prompt file, or with a `name` one of its partials."""

    path: str
    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """What was looked at, its lines, and how the versions that these name first went live, newest first.

    `live` is environment → version, today. `is_cut` says that a shallow clone hides who wrote some lines.
    """

    subject: Subject
    files: tuple[File, ...]
    versions: tuple[First, ...]
    live: Mapping[str, int]
    is_cut: bool
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        how = {one.version: one.word for one in self.versions}
        files = [
            {
                "path": file.path,
                "partial": file.name or None,
                "lines": [_line_json(line, how) for line in file.lines],
            }
            for file in self.files
        ]
        return {
            "schema": "promptops.blame/1",
            "id": self.subject.id,
            "ref": self.subject.label,
            "live": dict(self.live),
            "files": files,
            "versions": [one.as_json() for one in self.versions],
            "is_cut": self.is_cut,
            "notes": list(self.notes),
        }


def _line_json(line: Line, how: Mapping[int, str]) -> dict[str, Any]:
    origin = line.origin
    return {
        "number": line.number,
        "text": line.text,
        "commit": origin.commit if origin else None,
        "author": origin.author if origin else None,
        "email": origin.email if origin else None,
        "date": f"{origin.committed:%Y-%m-%dT%H:%M:%SZ}" if origin else None,
        "subject": origin.subject if origin else None,
        "path": origin.path if origin else None,
        "is_cut": origin is not None and origin.is_cut,
        "version": line.version,
        "how": how[line.version] if line.version else None,
        "live": list(line.live),
    }


def blame(
    workspace: Workspace,
    reference: str,
    *,
    environment: str | None = None,
    at: datetime | None = None,
    now: datetime | None = None,
    partials: bool = False,
) -> Blame:
    """Tell of each line of a prompt, and with `partials` of what it includes, where it comes from and where it is.

    Of what was live `at` a time, no commit's clock ahead of `now` is believed.

    Raises:
        NotFound, InvalidInput: as `subject_of`.
        InvalidFile, IntegrityError: the prompt or a release file has problems.
        RepoError: git cannot read the history.
    """
    subject = subject_of(workspace, reference, environment=environment, at=at, now=now)
    scene = _scene(workspace, subject)
    files = tuple(_files(scene, partials=partials))
    lines = [line for file in files for line in file.lines]
    numbers = sorted({line.version for line in lines if line.version is not None}, reverse=True)
    return Blame(
        subject=subject,
        files=files,
        versions=tuple(scene.first(number) for number in numbers),
        live={place: release.version for place, release in scene.pointers.items()},
        is_cut=any(line.origin is not None and line.origin.is_cut for line in lines),
        notes=(*subject.notes, *_about_words(scene, lines)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What is known around a subject: release files, the history of them, and what is live now.

    `tip` is the commit whose files hold the text, None for the work tree; `numbers` are the versions that its lines
    are looked for in, newest first.
    """

    workspace: Workspace
    subject: Subject
    tip: str | None
    numbers: Sequence[int]
    releases: Releases
    past: Past
    pointers: Mapping[str, Release]
    texts: dict[int, Mapping[str, str]] = field(default_factory=dict)

    def lines(self, number: int, name: str) -> list[str]:
        """Return the lines of a version's own text or of one of its partials, none where it has no such."""
        if number not in self.texts:
            version = self.releases.version(self.subject.id, number)
            self.texts[number] = {_OWN: version.source, **version.partials}
        return lines_of(self.texts[number].get(name, ""))

    def first(self, number: int) -> First:
        environments = self.workspace.config.environments
        live = [place for place, release in self.pointers.items() if release.version == number]
        return first_of(
            number, self.past, self.releases, self.subject.id, environments=environments, live=live
        )


def _scene(workspace: Workspace, subject: Subject) -> _Scene:
    repo, name, root = workspace.repo, subject.id, subject.root
    head, ref = repo.head(), release_ref(repo, workspace.config.release_branch)
    live = read_releases(repo, ref.commit, root=root, prompt=name)
    here = live if head == ref.commit else read_releases(repo, head, root=root, prompt=name)
    then = here if subject.commit is None else read_releases(repo, subject.commit, root=root, prompt=name)
    known = Releases(root=root, files={**then.files, **here.files, **live.files})
    found = past(repo, name, ref.commit, head, subject.commit, root=root)
    pointers = {place: live.live(name, place) for place in workspace.config.environments}
    return _Scene(
        workspace=workspace,
        subject=subject,
        tip=_tip(subject, found, ref.commit),
        numbers=_numbers(subject, then, known)[::-1],
        releases=known,
        past=found,
        pointers={place: release for place, release in pointers.items() if release is not None},
    )


def _tip(subject: Subject, found: Past, release_branch: str | None) -> str | None:
    """Look at a version where it was frozen: there the prompt file is as it was released."""
    if subject.version is None:
        return subject.commit
    commit = found.frozen.get(subject.version)
    return commit.oid if commit else release_branch


def _numbers(subject: Subject, then: Releases, known: Releases) -> list[int]:
    if subject.version is None:
        return list(then.numbers(subject.id))
    return [number for number in known.numbers(subject.id) if number <= subject.version]


def _files(scene: _Scene, *, partials: bool) -> Iterator[File]:
    prompt = scene.subject.prompt
    yield _file(scene, prompt.path, _OWN, prompt.source)
    for name, text in sorted(prompt.partials.items()) if partials else ():
        yield _file(scene, _place_of(scene, name), name, text)


def _place_of(scene: _Scene, name: str) -> str:
    """Return the file that a partial is: the first of those that it may be that is there."""
    repo, path, root = scene.workspace.repo, scene.subject.prompt.path, scene.subject.root
    looked = places(name, path=path, root=root)
    if scene.tip is None:
        return next((place for place in looked if (scene.workspace.top / place).is_file()), looked[-1])
    there = repo.tree_paths(scene.tip, looked)
    return next((place for place in looked if place in there), looked[-1])


def _file(scene: _Scene, path: str, name: str, text: str) -> File:
    lines = lines_of(text)
    written = origins(scene.workspace.repo, path, lines, commit=scene.tip)
    versions = _versions(scene, name, lines)
    held = {
        place: same_lines(scene.lines(release.version, name), lines)
        for place, release in scene.pointers.items()
    }
    return File(
        path=path,
        name=name,
        lines=tuple(
            Line(
                number=index + 1,
                text=line,
                origin=written[index],
                version=versions[index],
                live=tuple(place for place, same in held.items() if same[index] is not None),
            )
            for index, line in enumerate(lines)
        ),
    )


def _versions(scene: _Scene, name: str, lines: Sequence[str]) -> list[int | None]:
    """Return for each line the earliest version of the unbroken row that holds it, None where the latest does not."""
    found: list[int | None] = [None] * len(lines)
    places: list[int | None] = list(range(len(lines)))
    newer = lines
    for number in scene.numbers:
        older = scene.lines(number, name)
        same = same_lines(older, newer)
        places = [None if place is None else same[place] for place in places]
        found = [was if place is None else number for was, place in zip(found, places, strict=True)]
        if all(place is None for place in places):
            break
        newer = older
    return found


def _about_words(scene: _Scene, lines: Sequence[Line]) -> tuple[str, ...]:
    """Say of unreleased lines that change nothing (comments, scorers) that the model gets what is live all the same."""
    live = scene.pointers.get(scene.workspace.config.live)
    same = live is not None and live.digest == scene.subject.prompt.digest
    if live is None or not same or all(line.version is not None for line in lines):
        return ()
    return (f"the lines that are not released do not reach the model: it gets what {live.environment} sends",)
