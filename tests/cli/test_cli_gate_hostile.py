"""A pull request with bad intentions: no secret leaves, nothing of it runs, and the gate says what it saw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_help import CONFIG, ID, PATH, SAMPLES, Project
from test_cli_hostile import EVIL, OBEYED, harmless

from promptops.testing.faults import answer
from promptops.testing.faulty_server import FaultyServer, serve

KEY = "sk-live-0123456789abcdefghij"
API = """\
promptops: 1
prompts: [prompts]
providers:
  api: {{kind: openai, base_url: "{url}", api_key: {{env: API_KEY}}}}
limits: {{concurrency: 4, attempts: 1, deadline: 20, outage: 0.3}}
"""


@pytest.fixture
def listener() -> Iterator[FaultyServer]:
    """Where a secret would be sent."""
    with serve(answer("billing")) as server:
        yield server


@pytest.fixture
def honest() -> Iterator[FaultyServer]:
    """The server that the base names."""
    with serve(answer("billing")) as server:
        yield server


@pytest.fixture
def pull(fresh: Project, honest: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A change against a base that asks an API with a key."""
    monkeypatch.setenv("API_KEY", KEY)
    project = fresh
    project.write("promptops.yaml", API.format(url=honest.url))
    project.edit("model: bot/small", "model: api/small")
    project.keep_samples(12)
    project.git("branch", "-M", "main")
    project.commit()
    assert project.run("promote", ID, "--force", "-m", "begin").code == 0
    project.git("checkout", "-q", "-b", "change")
    project.reword("sly")
    return project


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_change_cannot_send_the_key_elsewhere(
    pull: Project, honest: FaultyServer, listener: FaultyServer
) -> None:
    pull.write("promptops.yaml", API.format(url=listener.url).replace("API_KEY", "HOME"))
    pull.write("prompts/promptops.yaml", API.format(url=listener.url))
    pull.write(
        ".env", f"HTTPS_PROXY={listener.url}\nHTTP_PROXY={listener.url}\nOPENAI_BASE_URL={listener.url}\n"
    )
    pull.edit("{{ message }}", "{{ message }} {{ self.__init__.__globals__ }}")
    pull.commit()
    before = honest.count
    said = pull.run("gate", "--base", "main", "--json")
    assert (listener.count, listener.connections) == (0, 0)
    assert honest.count == before
    assert said.code == 2
    assert KEY not in said.out + said.err


def test_only_the_bases_server_is_asked_and_sees_only_its_key(
    pull: Project, honest: FaultyServer, listener: FaultyServer
) -> None:
    pull.write("promptops.yaml", API.format(url=listener.url))
    pull.commit()
    before = honest.count
    said = pull.run("gate", "--base", "main", "--markdown", "../comment.md", "--junit", "../junit.xml")
    assert listener.connections == 0
    assert honest.count > before
    assert {seen.headers["authorization"] for seen in honest.requests} == {f"Bearer {KEY}"}
    assert KEY not in said.out + said.err
    for name in ("comment.md", "junit.xml"):
        assert KEY not in (pull.path.parent / name).read_text()
    assert KEY.encode() not in everything(pull.path / ".promptops")
    assert "promptops.yaml: providers.api.base_url is changed; the base's holds here" in said.out


@pytest.mark.parametrize(
    "name", [SAMPLES, PATH, "prompts/tone.md"], ids=["samples", "the prompt", "a partial"]
)
def test_a_link_shows_nothing_of_the_machine(
    name: str, pull: Project, tmp_path: Path, honest: FaultyServer
) -> None:
    (tmp_path / "secret").write_text("a secret of this machine\n")
    if name.endswith(".md"):
        pull.edit("sly.", "{% include 'tone.md' %}")
    (pull.path / name).unlink(missing_ok=True)
    (pull.path / name).symlink_to(tmp_path / "secret")
    pull.commit()
    before = len(honest.requests)
    said = pull.run("gate", "--base", "main", "--json")
    assert "a secret of this machine" not in said.out + said.err
    assert not any(b"a secret of this machine" in seen.body for seen in honest.requests[before:])
    if name == SAMPLES:
        assert f"{ID}: 12 samples were removed; the base's samples judge" in said.json["first"]
    else:
        assert said.code == 2


def test_a_planted_python_scorer_never_runs(pull: Project, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    code = f"open({str(planted)!r}, 'w')\n\n\ndef score(sample, answer):\n    return 1.0\n"
    for name in ("evil.py", "json.py", "sitecustomize.py", "promptops/__init__.py", "prompts/evil.py"):
        pull.write(name, code)
    pull.edit('queue: {equals: "{{ expected }}", min: 0.8}', 'queue: {python: "evil:score", min: 0.1}')
    pull.commit()
    said = pull.run("gate", "--base", "main", "--json")
    assert not planted.exists()
    assert f"{ID}: scorer queue scores by another rule" in said.json["first"]
    means = {one["name"]: one["candidate_mean"] for one in said.json["prompts"][0]["report"]["metrics"]}
    assert means["queue"] == pytest.approx(4 / 12), "scored by the base's scorer, not by one that gives 1"


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        pytest.param("{{ 'x' * (10 ** 10) }}", marks=pytest.mark.slow),
        pytest.param("{{ ('x' * 10000).join(['y'] * 1000000) }}", marks=pytest.mark.slow),
        "{{ ().__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__.os.environ }}",
        "{{ message.format.__globals__ }}",
    ],
)
def test_a_template_that_breaks_out_or_explodes_is_refused(
    text: str, pull: Project, honest: FaultyServer
) -> None:
    pull.edit("{{ message }}", text.replace('"', "'"))
    pull.commit()
    before = honest.count
    said = pull.run("gate", "--base", "main", "--json")
    assert (said.code, honest.count) == (2, before)
    assert said.json["prompts"][0]["status"] == "broken"
    assert KEY not in said.out


def test_answers_that_command_build_servers_are_shown_and_not_obeyed(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.git("branch", "-M", "main")
    words = "str(request.messages[0].content)"
    echo = f'def answer(request):\n    return "billing" if "careful" in {words} else EVIL * 50\n'
    project.write("bots.py", f"EVIL = {EVIL!r}\n\n\n{echo}")
    project.write("promptops.yaml", CONFIG)
    project.commit()
    project.git("checkout", "-q", "-b", "change")
    project.reword("quick")
    project.write("prompts/::error file=x::owned.prompt.yaml", "model: nobody\n")
    project.commit("::set-output name=x::y")
    said = project.run("gate", "--base", "main", "--markdown", str(tmp_path / "comment.md"))
    rows = [line for line in said.out.split("\n") if line.startswith("::")]
    assert 1 <= len(rows) <= 10
    assert all(row.startswith(("::error file=prompts/", "::warning file=prompts/")) for row in rows)
    rest = "\n".join(line for line in said.out.split("\n") if not line.startswith("::"))
    harmless(type(said)(said.code, rest, said.err))
    assert not OBEYED.search((tmp_path / "comment.md").read_text())
    assert "<script>" not in (tmp_path / "comment.md").read_text()
