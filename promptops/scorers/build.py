"""From what is written under `scorers:` to the objects that score; every mistake is found before a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptops.errors import ConfigError
from promptops.ports import Scorer
from promptops.prompts.checks import OPTIONS
from promptops.prompts.model import SCORER_KINDS, GateWords, JsonPathRule, ScorerSpec
from promptops.prompts.responseformat import response_schema
from promptops.scorers.checked import Checked, Rule
from promptops.scorers.code import python_scorer
from promptops.scorers.exact import Equals, contains, ends_with, starts_with
from promptops.scorers.fill import Template
from promptops.scorers.jsonpath import parse_path
from promptops.scorers.length import fits
from promptops.scorers.pattern import matches
from promptops.scorers.structure import Absent, Anything, FitsSchema, fits_schema
from promptops.scorers.target import load_target
from promptops.scorers.text import Likeness

Loader = Callable[[str, Path], Callable[..., Any]]

_LATER = ("judge", "similar", "tool_calls")
_HERE = tuple(kind for kind in SCORER_KINDS if kind not in _LATER)


def build_scorer(
    name: str,
    spec: ScorerSpec,
    *,
    response_format: Mapping[str, Any] | None,
    root: Path,
    template: str = "jinja2",
    load: Loader = load_target,
) -> Scorer:
    """Make the scorer called `name`.

    `root` is the directory that python targets are imported from. `template` is the prompt's template kind:
    arguments are filled by it, `none` as by jinja2.

    Raises:
        ConfigError: the kind is not there yet, an option does nothing, or an argument is not understood.
    """
    try:
        return _built(spec, _kind(spec), response_format, root, _template(template), load)
    except ValueError as error:
        raise ConfigError(f"scorer {name!r}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that a scorer is made of, so that another process can make the same one."""

    name: str
    spec: ScorerSpec
    response_format: Mapping[str, Any] | None
    root: Path
    template: str

    @property
    def is_code(self) -> bool:
        """Whether it is a program of somebody's own, which may do anything to the process it runs in."""
        return self.spec.python is not None

    @property
    def making(self) -> str:
        """What making it is, in words: a program of somebody's own is a file that is imported."""
        if self.spec.python is None:
            return "making it"
        return f"importing {self.spec.python.partition(':')[0].replace('.', '/')}.py"

    @property
    def may_hang(self) -> bool:
        """Whether it looks for a pattern, which may go back over an answer without end."""
        return self.spec.regex is not None or self.spec.json_schema is not None

    def build(self) -> Scorer:
        """Make the scorer.

        Raises:
            ConfigError: as build_scorer.
        """
        return build_scorer(
            self.name,
            self.spec,
            response_format=self.response_format,
            root=self.root,
            template=self.template,
        )


def _kind(spec: ScorerSpec) -> str:
    written = [kind for kind in SCORER_KINDS if kind in spec.model_fields_set]
    if len(written) != 1:
        said = " and ".join(written) or "none"
        raise ValueError(f"exactly one kind is needed, got {said}; the kinds are {', '.join(_HERE)}")
    if written[0] in _LATER:
        raise ValueError(f"{written[0]} is not available yet")
    options = spec.model_fields_set - GateWords.model_fields.keys() - {written[0]}
    if idle := sorted(options - OPTIONS[written[0]]):
        raise ValueError(f"{idle[0]} does nothing with {written[0]}")
    return written[0]


def _built(
    spec: ScorerSpec,
    kind: str,
    response_format: Mapping[str, Any] | None,
    root: Path,
    template: Template,
    load: Loader,
) -> Scorer:
    path = parse_path(spec.path) if spec.path is not None else None
    if kind == "python":
        return python_scorer(load(spec.python or "", root), range=spec.range, path=path)
    if kind == "json_path":
        return _at_path(spec, template)
    if kind == "json_schema":
        return Checked(rule=_schema(spec.json_schema, response_format), path=path)
    return Checked(rule=_text_rule(spec, kind, template), path=path)


def _text_rule(spec: ScorerSpec, kind: str, template: Template) -> Rule:
    like = _likeness(spec)
    if spec.length is not None:
        return fits(spec.length, like)
    if spec.regex is not None:
        return matches(spec.regex, like)
    if kind == "equals":
        return Equals(argument=spec.equals, like=like, template=template)
    argument = getattr(spec, kind)
    if not argument or (isinstance(argument, list) and not all(argument)):
        raise ValueError(f"{kind} needs a text; an empty one is in every answer")
    return {"contains": contains, "starts_with": starts_with, "ends_with": ends_with}[kind](
        argument, like, template
    )


def _at_path(spec: ScorerSpec, template: Template) -> Scorer:
    written = spec.json_path
    rule = written if isinstance(written, JsonPathRule) else JsonPathRule(path=written or "")
    path = parse_path(rule.path)
    compares = "equals" in rule.model_fields_set
    if not rule.exists:
        if compares:
            raise ValueError("json_path has both equals and exists: false")
        return Absent(path=path)
    if not compares:
        return Checked(rule=Anything(), path=path)
    return Checked(rule=Equals(argument=rule.equals, like=_likeness(spec), template=template), path=path)


def _schema(written: str | Mapping[str, Any] | None, response_format: Mapping[str, Any] | None) -> FitsSchema:
    if isinstance(written, Mapping):
        return fits_schema(written)
    if written != "response_format":
        raise ValueError(f"json_schema is response_format or a schema written here, got {written!r}")
    schema = response_schema(response_format)
    if schema is None:
        raise ValueError("json_schema: response_format, but the prompt has no response_format with a schema")
    return fits_schema(schema)


def _likeness(spec: ScorerSpec) -> Likeness:
    return Likeness(trim=spec.trim, ignore_case=spec.ignore_case)


def _template(kind: str) -> Template:
    return "simple" if kind == "simple" else "jinja2"
