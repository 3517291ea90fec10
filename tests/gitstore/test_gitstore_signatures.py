"""Who may release where the base says so: real keys, real signatures, and everything that is none of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gitstore_help import frozen, release, write

from promptops.gitstore.repo import Repo
from promptops.gitstore.signatures import Signers, signers_at
from promptops.gitstore.verify import Finding, Severity, verify

Git = Callable[..., str]
POINTER = "prompts/releases/greet/production.yaml"

ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")


@pytest.fixture
def key(tmp_path: Path) -> Callable[[str], Path]:
    """Make an SSH key of somebody; the path of its private half."""

    def make(name: str) -> Path:
        path = tmp_path / f"key-{name}"
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        return path

    return make


def public(path: Path) -> str:
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


@pytest.fixture
def sign_with(work: Path, git: Git) -> Callable[[Path | None], None]:
    """Have commits in the repository signed with a key, or no more."""

    def use(path: Path | None) -> None:
        git("config", "gpg.format", "ssh", cwd=work)
        git("config", "commit.gpgSign", "true" if path else "false", cwd=work)
        git("config", "user.signingKey", str(path or ""), cwd=work)

    return use


def signers(content: str, environment: str = "production") -> Signers:
    return Signers(environment=environment, path="allowed_signers", content=content.encode())


def errors(top: Path, *allowed: Signers, **more: str) -> list[Finding]:
    found = verify(Repo.open(top), signers=allowed, **more)
    return [one for one in found if one.severity is Severity.ERROR]


@ssh
def test_a_release_signed_by_an_allowed_key_is_in_order_and_any_other_is_named(
    work: Path, key: Callable[[str], Path], sign_with: Callable[[Path | None], None], git: Git
) -> None:
    ada, eve = key("ada"), key("eve")
    allowed = signers(f"# who releases\nada@example.org {public(ada)}\n")
    sign_with(ada)
    release(work, frozen(1))
    assert errors(work, allowed) == []
    sign_with(eve)
    release(work, frozen(2))
    (one,) = errors(work, allowed)
    assert (one.path, one.commit) == (POINTER, git("rev-parse", "HEAD", cwd=work))
    assert "stands not there" in one.message
    sign_with(None)
    release(work, frozen(3))
    assert [one.message.endswith("is not signed") for one in errors(work, allowed)].count(True) == 1
    assert errors(work, signers(f"a {public(ada)}\n", "staging")) == []
    assert errors(work) == []


@ssh
def test_a_signature_of_another_commit_is_none(
    work: Path, key: Callable[[str], Path], sign_with: Callable[[Path | None], None], git: Git
) -> None:
    ada = key("ada")
    sign_with(ada)
    release(work, frozen(1))
    raw = git("cat-file", "commit", "HEAD", cwd=work) + "\n"
    forged = raw.replace("promote greet v1", "promote greet v1!")
    write(work, "forged", forged)
    oid = git("hash-object", "-t", "commit", "-w", "forged", cwd=work)
    (work / "forged").unlink()
    git("reset", "-q", "--hard", oid, cwd=work)
    (one,) = errors(work, signers(f"ada@example.org {public(ada)}\n"))
    assert "does not fit" in one.message


@ssh
def test_a_key_counts_only_while_the_file_says_so(
    work: Path, key: Callable[[str], Path], sign_with: Callable[[Path | None], None]
) -> None:
    ada = key("ada")
    sign_with(ada)
    release(work, frozen(1))  # on 5 January 2026
    name = "ada@example.org"
    assert errors(work, signers(f'{name} valid-before="20260301" {public(ada)}\n')) == []
    assert errors(work, signers(f'{name} valid-before="20251201" {public(ada)}\n'))
    assert errors(work, signers(f'{name} namespaces="file" {public(ada)}\n'))


@ssh
@pytest.mark.parametrize("content", ["", "nonsense\n", "\0\xff\n", "* ssh-ed25519 AAAA\n"])
def test_a_file_that_allows_nobody_allows_nobody(
    work: Path, key: Callable[[str], Path], sign_with: Callable[[Path | None], None], content: str
) -> None:
    sign_with(key("ada"))
    release(work, frozen(1))
    assert len(errors(work, signers(content))) == 1


@ssh
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_of_signers_is_read_line_by_line_as_ssh_keygen_reads_it(
    work: Path, key: Callable[[str], Path], sign_with: Callable[[Path | None], None], end: str
) -> None:
    ada = key("ada")
    sign_with(ada)
    release(work, frozen(1))
    line = f"ada@example.org {public(ada)}"
    assert errors(work, signers(f"# who releases{end}{line}{end}")) == []
    assert errors(work, signers(f"tom@example.org openpgp {'0' * 40}{end}{line}{end}")) == []
    for unseen in "\v\f\x1c\x85\u2028\r":  # what a reviewer sees is one comment
        assert errors(work, signers(f"# who released{unseen}{line}{end}"))


@ssh
def test_who_may_sign_is_read_from_the_base_and_not_from_the_change(
    work: Path, key: Callable[[str], Path], sign_with: Callable[[Path | None], None], git: Git
) -> None:
    ada, eve = key("ada"), key("eve")
    write(work, "keys/allowed", f"ada@example.org {public(ada)}\n")
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "Say who", cwd=work)
    base = git("rev-parse", "HEAD", cwd=work)
    write(work, "keys/allowed", f"eve@example.org {public(eve)}\n")
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "Let me", cwd=work)
    sign_with(eve)
    release(work, frozen(1))
    repo = Repo.open(work)
    required = {"production": "keys/allowed"}
    assert errors(work, *signers_at(repo, base, required), since=base)
    assert errors(work, *signers_at(repo, "HEAD", required), since=base) == []
    (one,) = errors(work, *signers_at(repo, base, {"production": "keys/other"}), since=base)
    assert "is not in the base" in one.message


@ssh
def test_only_the_commits_that_had_to_be_signed_are_asked_for_a_signature(work: Path, git: Git) -> None:
    release(work, frozen(1))
    first = git("rev-parse", "HEAD", cwd=work)
    release(work, frozen(2))
    wanted = Signers(
        environment="production",
        path="allowed",
        content=b"",
        judged=frozenset({git("rev-parse", "HEAD", cwd=work)}),
    )
    assert {one.commit for one in errors(work, wanted)} == wanted.judged
    assert first not in (wanted.judged or ())


def test_without_ssh_keygen_nothing_passes_for_signed(
    work: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(work, frozen(1))
    raw = git("cat-file", "commit", "HEAD", cwd=work)
    head, _, text = raw.partition("\n\n")
    signature = "gpgsig -----BEGIN SSH SIGNATURE-----\n U1NIU0lH\n -----END SSH SIGNATURE-----"
    write(work, "forged", f"{head}\n{signature}\n\n{text}\n")
    oid = git("hash-object", "-t", "commit", "-w", "--literally", "forged", cwd=work)
    (work / "forged").unlink()
    git("reset", "-q", "--hard", oid, cwd=work)
    (one,) = errors(work, signers("ada@example.org ssh-ed25519 AAAA\n"))
    assert "signature" in one.message
    (tmp_path / "bin").mkdir()
    for name in ("git", "sh"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (one,) = errors(work, signers("ada@example.org ssh-ed25519 AAAA\n"))
    assert "ssh-keygen is not installed" in one.message


@ssh
def test_in_a_clone_of_depth_1_a_signature_that_is_out_of_sight_does_not_count(
    work: Path, key: Callable[[str], Path], sign_with: Callable[[Path | None], None], git: Git, tmp_path: Path
) -> None:
    ada = key("ada")
    base = git("rev-parse", "HEAD", cwd=work)
    git("checkout", "-q", "-b", "side", cwd=work)
    sign_with(ada)
    release(work, frozen(1))
    git("checkout", "-q", "main", cwd=work)
    git("merge", "-q", "--no-ff", "-m", "Merge", "side", cwd=work)
    allowed = signers(f"ada@example.org {public(ada)}\n")
    assert errors(work, allowed, since=base) == []
    git("clone", "-q", "--depth=1", f"file://{work}", "ci", cwd=tmp_path)
    git("fetch", "-q", "--depth=1", "origin", base, cwd=tmp_path / "ci")
    (one,) = errors(tmp_path / "ci", allowed, since=base)
    assert "must be signed" in one.message
    assert "fetch-depth: 0" in one.message


@pytest.fixture
def gpg_key(world: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make a GPG key in a keyring of its own; its fingerprint."""
    home = tmp_path_factory.mktemp("g")  # short: the agent's socket stands in it
    home.chmod(0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    words = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "Ada <ada@example.org>"]
    made = subprocess.run([*words, "ed25519", "sign", "never"], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"gpg cannot make a key here: {made.stderr.strip()}")
    listed = subprocess.run(
        ["gpg", "--batch", "--with-colons", "--list-keys"], capture_output=True, text=True, check=True
    )
    return next(line.split(":")[9] for line in listed.stdout.splitlines() if line.startswith("fpr"))


@gpg
def test_a_gpg_signature_that_calls_itself_another_kind_is_one_of_a_key_that_is_not_listed(
    work: Path, gpg_key: str, git: Git
) -> None:
    """A key may be in a keyring, and trusted for something else."""
    release(work, frozen(1))
    head, _, text = git("cat-file", "commit", "HEAD", cwd=work).partition("\n\n")
    signing = ["gpg", "--batch", "--armor", "--detach-sign", "--local-user", gpg_key]
    payload = f"{head}\n\n{text}\n".encode()
    try:
        signed = subprocess.run(signing, input=payload, capture_output=True, check=True).stdout.decode()
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False, capture_output=True)
    feint = "gpgsig-sha256 -----BEGIN SSH SIGNATURE-----\n U1NIU0lH\n -----END SSH SIGNATURE-----"
    real = "gpgsig " + "\n ".join(signed.rstrip("\n").split("\n"))
    write(work, "forged", f"{head}\n{feint}\n{real}\n\n{text}\n")
    oid = git("hash-object", "-t", "commit", "-w", "--literally", "forged", cwd=work)
    (work / "forged").unlink()
    git("reset", "-q", "--hard", oid, cwd=work)
    assert git("log", "-1", "--format=%G?", cwd=work) == "G"
    (one,) = errors(work, signers("ada@example.org ssh-ed25519 AAAA\n"))
    assert gpg_key in one.message
    assert errors(work, signers(f"ada@example.org openpgp {gpg_key}\n")) == []


@gpg
def test_a_gpg_key_counts_if_its_fingerprint_is_listed(
    work: Path, gpg_key: str, git: Git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    git("config", "commit.gpgSign", "true", cwd=work)
    git("config", "user.signingKey", gpg_key, cwd=work)
    release(work, frozen(1))
    listed = signers(f"ada@example.org openpgp {gpg_key}\n")
    try:
        assert errors(work, listed) == []
        (one,) = errors(work, signers(f"ada@example.org openpgp {'0' * 40}\n"))
        assert gpg_key in one.message
        for comment in ("#", "# ", "#ada@example.org "):
            assert errors(work, signers(f"{comment}openpgp {gpg_key}\n{comment} openpgp {gpg_key}\n"))
        empty = tmp_path / "e"
        empty.mkdir(mode=0o700)
        with monkeypatch.context() as patch:
            patch.setenv("GNUPGHOME", str(empty))
            (one,) = errors(work, listed)
            assert "gpg --import" in one.message
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False, capture_output=True)
