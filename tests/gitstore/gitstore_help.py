"""Small hands for the tests of the git room."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from promptops.gitstore.commits import commit_files
from promptops.gitstore.moving import Committed
from promptops.gitstore.references import find_prompt
from promptops.gitstore.releases import read_releases, release_files
from promptops.gitstore.repo import Repo
from promptops.records import Arm, Evidence, Release, SampleSet, Version, body_digest, canonical, sha256
from promptops.succession import following

AT = "2026-01-05T10:00:00Z"


def copy_of(kept: dict[str, Path], name: str, build: Callable[[Path], None], target: Path) -> Path:
    """Build a repository once for all tests of a session, and give each its own copy."""
    if name not in kept:
        kept[name] = kept["folder"] / name
        build(kept[name])
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(kept[name], target, symlinks=True)
    # git compares times of the work tree with the index: the copies are new files
    subprocess.run(["git", "update-index", "-q", "--refresh"], cwd=target, check=True)
    return target


def hook(top: Path, name: str, script: str) -> None:
    """Install a hook; `top` is a work tree or a bare repository."""
    folder = (top / ".git" if (top / ".git").is_dir() else top) / "hooks"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def lock(top: Path) -> None:
    (top / ".git/index.lock").write_text("")


def frozen(number: int, prompt: str = "greet") -> Version:
    """A version whose body is its number."""
    body = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": f"Hello {number}"}]}
    source = f"model: openai/gpt-4o-mini\nmessages:\n  - {{role: user, content: Hello {number}}}\n"
    path = f"prompts/{prompt}.prompt.yaml"
    digest = body_digest(body)
    return Version(id=prompt, version=number, digest=digest, path=path, source=source, partials={}, body=body)


def seen_by_the_gate(version: Version, verdict: str = "pass", baseline: Release | None = None) -> Evidence:
    return Evidence(
        prompt=version.id,
        baseline=Arm(version=baseline.version, digest=baseline.digest) if baseline else None,
        candidate=version.digest,
        samples=SampleSet(digest=sha256(b"samples"), n=300),
        policy=sha256(b"policy"),
        verdict=verdict,
        metrics=[{"name": "queue", "lower": -0.01}],
        alpha=0.05,
        tool_version="0.1.0",
        model="gpt-4o-mini",
        provider="openai",
        run="r1",
        at=AT,
    )


def release(
    top: Path, version: Version, kind: str = "promote", *, environment: str = "production", **more
) -> Committed:
    """Promote or roll back, as the use case does: read what is live, build the next record, commit it."""
    repo = Repo.open(top)
    branch = more.pop("branch", None)
    now = read_releases(repo, branch or "HEAD", prompt=version.id)
    previous = now.live(version.id, environment)
    evidence = seen_by_the_gate(version, baseline=previous if kind == "promote" else None)
    digest = sha256(canonical(evidence))
    record = following(
        previous,
        version=version,
        environment=environment,
        kind=kind if previous else "first",
        evidence=digest,
        reason=more.pop("reason", ""),
        by=repo.identity(),
        at=AT,
        **more,
    )
    new = version if version.version not in now.numbers(version.id) else None
    files = release_files("prompts", record, version=new, evidence=evidence)
    files = {path: content for path, content in files.items() if now.files.get(path) != content}
    return commit_files(repo, files, f"{kind} {version.id} v{version.version}", branch=branch)


def by_hand(
    top: Path,
    version: Version,
    *,
    evidence: Evidence | None = None,
    kind: str = "promote",
    environment: str = "production",
    only: Callable[[str], bool] = lambda path: True,
    **more: object,
) -> None:
    """Commit a release as somebody would who knows the formats and not the rules."""
    repo = Repo.open(top)
    now = read_releases(repo, "HEAD", prompt=version.id)
    record = following(
        now.live(version.id, environment),
        version=version,
        environment=environment,
        kind=kind,
        evidence=sha256(canonical(evidence)) if evidence else None,
        reason="",
        by="Eve <eve@example.org>",
        at="2026-01-06T10:00:00Z",
        **more,
    )
    files = release_files("prompts", record, version=version, evidence=evidence)
    files = {
        path: content for path, content in files.items() if now.files.get(path) != content and only(path)
    }
    commit_files(repo, files, "By hand")


def write(top: Path, path: str, text: str | bytes) -> Path:
    """Write one file below a folder, with LF, and return its path."""
    target = top / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text if isinstance(text, bytes) else text.encode())
    return target


def freeze(top: Path, number: int, prompt: str = "greet") -> Version:
    """Freeze what the work tree holds, as promote does."""
    found = find_prompt(Repo.open(top), prompt, None)
    return Version(
        id=prompt,
        version=number,
        digest=found.digest,
        path=found.path,
        source=found.source,
        partials=dict(found.partials),
        body=dict(found.body),
    )
