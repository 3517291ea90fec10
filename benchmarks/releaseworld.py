"""A company's repository of prompts, written with one `git fast-import`: a thousand prompts, years of releases.

Prompts are added, edited, released, rolled back and left alone, on the main branch and on branches that are merged
into it; between them stand commits of code. The release files are the program's own: each pointer follows the one
before it, each version is what the commit before holds, and each verdict can be reached again from its evidence.
Everything is drawn with one seed: the same numbers give the same commits, on any machine.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from releaseparts import ROOT, TEAMS, Draft, Outcome, judged, name_of, partial_of, path_of, samples

from promptops.gitstore.releases import evidence_path, pointer_path, version_path
from promptops.gitstore.trees import TextTree, read_prompt
from promptops.prompts.model import Prompt
from promptops.records import Arm, Evidence, Release, SampleSet, Version, canonical, sha256
from promptops.succession import following

ENVIRONMENT = "production"
PEOPLE = ("Ada", "Grace", "Barbara", "Edsger", "Donald", "Frances", "Tony", "Radia", "Niklaus", "Karen")
START, SPAN = datetime(2025, 1, 6, 8, 0, tzinfo=UTC), timedelta(days=600)
EARLY = 0.1  # of the time: while the partials that whole teams share still changed
CONFIG = """\
promptops: 1
prompts: [prompts]
release_branch: main
limits: {concurrency: 8, attempts: 1, deadline: 20}
"""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Step:
    """One thing that happens, `at` a share of the whole time; `about` is a prompt's number, or only a number."""

    at: float
    kind: Literal[
        "add", "first", "edit", "promote", "rollback", "branch", "comment", "partial", "samples", "code"
    ]
    about: int

    @property
    def commits(self) -> int:
        return 4 if self.kind == "branch" else 1


def plan(prompts: int, releases: int, commits: int, draw: random.Random) -> list[Step]:
    """Return what happens, in order: every prompt is released once, the popular ones again and again."""
    steps, born = [], {}
    for number in range(prompts):
        born[number] = 0.7 * number / prompts
        steps += [
            Step(at=born[number], kind="add", about=number),
            Step(at=born[number] + 0.01, kind="first", about=number),
        ]
    for turn in range(releases - prompts):
        number = int(prompts * draw.random() ** 3)
        at = draw.uniform(born[number] + 0.02, 0.99)
        if turn % 10 == 7:
            steps.append(Step(at=at, kind="rollback", about=number))
        elif turn % 10 == 3:
            steps.append(Step(at=at, kind="branch", about=number))
        else:
            steps += [
                Step(at=at, kind="edit", about=number),
                Step(at=at + 1e-9, kind="promote", about=number),
            ]
    left = commits - 1 - sum(step.commits for step in steps)
    kinds = ("code", "comment", "code", "samples", "comment", "code", "comment", "code", "edit", "comment")
    for turn in range(left):
        number = int(prompts * draw.random() ** 2)
        kind = "partial" if turn % 300 == 0 else kinds[turn % len(kinds)]
        at = draw.uniform(0, EARLY) if kind == "partial" else draw.uniform(born[number] + 0.02, 1)
        steps.append(Step(at=at, kind=kind, about=number))
    return sorted(steps)


@dataclass(slots=True)
class World:
    """The stream that git imports, and what has been written so far."""

    draw: random.Random
    stream: list[bytes] = field(default_factory=list)
    marks: int = 0
    tip: int = 0
    now: datetime = START
    drafts: dict[int, Draft] = field(default_factory=dict)
    partials: dict[str, int] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    live: dict[int, Release] = field(default_factory=dict)
    versions: dict[int, dict[str, Version]] = field(default_factory=dict)

    def commit(
        self,
        message: str,
        files: Mapping[str, str | bytes],
        *,
        parent: int | None = None,
        merge: int | None = None,
    ) -> int:
        """Write one commit on the main branch; with a `parent` beside it."""
        self.marks += 1
        who = PEOPLE[self.draw.randrange(len(PEOPLE))]
        stamp = f"{who} <{who.lower()}@example.org> {int(self.now.timestamp())} +0000"
        beside = parent is not None and merge is None
        ref = "refs/heads/side" if beside else "refs/heads/main"
        said = message.encode()
        head = f"commit {ref}\nmark :{self.marks}\nauthor {stamp}\ncommitter {stamp}\ndata {len(said)}\n"
        before = parent if parent is not None else self.tip
        lines = [f"from :{before}\n"] if before else []
        lines += [f"merge :{merge}\n"] if merge else []
        self.stream += [head.encode(), said, b"\n", *(line.encode() for line in lines)]
        for path, text in files.items():
            content = text if isinstance(text, bytes) else text.encode()
            self.stream += [f"M 100644 inline {path}\ndata {len(content)}\n".encode(), content, b"\n"]
        if not beside:
            self.tip = self.marks
        return self.marks

    def partial(self, path: str) -> str:
        return f"Be brief, and as kind as in revision {self.partials.setdefault(path, 0)}.\n"

    def prompt(self, number: int) -> Prompt:
        partial = partial_of(number)
        texts = {path_of(number): self.drafts[number].text(), partial: self.partial(partial)}
        return read_prompt(TextTree(texts), path_of(number), root=ROOT)

    def take(self, step: Step) -> None:
        """Write the commits of one step."""
        number, name = step.about, name_of(step.about)
        match step.kind:
            case "add":
                self.drafts[number], self.sizes[number] = Draft(number), 12
                files = {
                    path_of(number): self.drafts[number].text(),
                    self._samples(number): samples(number, 12),
                }
                self.commit(f"Add {name}", files)
            case "edit":
                self.commit(f"Reword {name}", self._reworded(number))
            case "first" | "promote" | "rollback":
                self.commit(*self._released(number, step.kind))
            case "branch":
                base = self.tip
                edited = self._reworded(number)
                side = self.commit(f"Reword {name}", edited, parent=base)
                message, files = self._released(number, "promote")
                side = self.commit(message, files, parent=side)
                self._code(number)
                self.commit(f"Merge branch '{name}'", {**edited, **files}, parent=self.tip, merge=side)
            case "comment":
                self.drafts[number].comments += 1
                self.commit(f"Say more about {name}", {path_of(number): self.drafts[number].text()})
            case "partial":
                path = partial_of(number)
                self.partials[path] = self.partials.get(path, 0) + 1
                self.commit(f"Change the tone of {path}", {path: self.partial(path)})
            case "samples":
                self.sizes[number] += 1
                self.commit(
                    f"Add a sample of {name}", {self._samples(number): samples(number, self.sizes[number])}
                )
            case "code":
                self._code(number)

    def _samples(self, number: int) -> str:
        return path_of(number).replace(".prompt.yaml", ".samples.jsonl")

    def _code(self, number: int) -> None:
        self.commit(
            f"Work on part {number % 50}", {f"app/part{number % 50:02}.py": f"STATE = {self.marks}\n"}
        )

    def _reworded(self, number: int) -> dict[str, str]:
        self.drafts[number].words += 1
        return {path_of(number): self.drafts[number].text()}

    def _released(self, number: int, kind: str) -> tuple[str, dict[str, bytes]]:
        """Return message and files of a release; what cannot be rolled back is promoted anew."""
        was, at = self.live.get(number), self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        if kind == "rollback" and was is not None and was.fallbacks:
            back = was.fallbacks[0]
            version = next(one for one in self.versions[number].values() if one.version == back.version)
            return self._written(number, was, version, "rollback", back.evidence, {}, at)
        prompt = self.prompt(number)
        files: dict[str, bytes] = {}
        if was is not None and was.digest == prompt.digest:
            files = {path: text.encode() for path, text in self._reworded(number).items()}
            prompt = self.prompt(number)
        version = self._frozen(number, prompt)
        outcome = self._outcome(first=was is None)
        evidence = self._evidence(version, was, outcome, at)
        content = canonical(evidence)
        files[evidence_path(ROOT, version.id, sha256(content))] = content
        return self._written(
            number, was, version, "promote" if was else "first", sha256(content), files, at, outcome
        )

    def _outcome(self, *, first: bool) -> Outcome:
        if first:
            return "first"
        return self.draw.choices(("pass", "inconclusive", "regression"), (94, 4, 2))[0]

    def _frozen(self, number: int, prompt: Prompt) -> Version:
        known = self.versions.setdefault(number, {})
        if prompt.digest not in known:
            known[prompt.digest] = Version(
                id=prompt.id,
                version=len(known) + 1,
                digest=prompt.digest,
                path=prompt.path,
                source=prompt.source,
                partials=dict(prompt.partials),
                body=dict(prompt.body),
            )
        return known[prompt.digest]

    def _evidence(self, version: Version, was: Release | None, outcome: Outcome, at: str) -> Evidence:
        found = judged(outcome, self.draw.randrange(6))
        held = samples(int(version.id[-4:]), self.sizes[int(version.id[-4:])])
        return Evidence(
            prompt=version.id,
            baseline=Arm(version=was.version, digest=was.digest) if was else None,
            candidate=version.digest,
            samples=SampleSet(digest=sha256(held.encode()), n=found["n"]),
            policy=sha256(b"policy"),
            verdict=found["verdict"],
            reasons=found["reasons"],
            metrics=found["metrics"],
            alpha=found["alpha"],
            basis=found["basis"],
            look=None if was is None else 1,
            tool_version="0.1.0",
            model="gpt-4o-mini",
            provider="openai",
            run=f"{self.draw.getrandbits(64):016x}",
            at=at,
        )

    def _written(
        self,
        number: int,
        was: Release | None,
        version: Version,
        kind: Any,
        evidence: str | None,
        files: dict[str, bytes],
        at: str,
        outcome: Outcome = "pass",
    ) -> tuple[str, dict[str, bytes]]:
        overruled = {"inconclusive": " (accepted)", "regression": " (forced)"}.get(outcome, "")
        release = following(
            was,
            version=version,
            environment=ENVIRONMENT,
            kind=kind,
            evidence=evidence,
            reason="Customers wait for it"
            if overruled
            else "Complaints since noon"
            if kind == "rollback"
            else "",
            by="Ada <ada@example.org>",
            at=at,
            accepted=outcome == "inconclusive",
            forced=outcome == "regression",
        )
        self.live[number] = release
        files = {
            **files,
            pointer_path(ROOT, version.id, ENVIRONMENT): canonical(release),
            version_path(ROOT, version.id, version.version): canonical(version),
        }
        verb = "Roll back" if kind == "rollback" else "Promote"
        return f"{verb} {version.id} v{version.version} to {ENVIRONMENT}{overruled}", files


def build(
    top: Path, *, prompts: int = 1000, releases: int = 2000, commits: int = 10_000, seed: int = 5
) -> World:
    """Make the repository at `top` and check its main branch out."""
    draw = random.Random(seed)
    world = World(draw=draw)
    start = {"promptops.yaml": CONFIG, ".gitignore": ".promptops/\n"}
    start |= {partial_of(number): world.partial(partial_of(number)) for number in range(len(TEAMS))}
    world.commit("Start", start)
    steps = plan(prompts, releases, commits, draw)
    for step in steps:
        world.now = START + step.at * SPAN
        world.take(step)
    for words in _commands():
        data = b"".join(world.stream) if words[0] == "fast-import" else None
        top.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", *words], cwd=top, input=data, check=True, capture_output=True)
    return world


def _commands() -> Iterator[list[str]]:
    """Packed as a clone is, and without what only `git gc` would add."""
    yield ["init", "-q", "-b", "main"]
    yield ["fast-import", "--quiet"]
    yield ["update-ref", "-d", "refs/heads/side"]
    yield ["repack", "-a", "-d", "-q"]
    yield ["reset", "-q", "--hard", "main"]
