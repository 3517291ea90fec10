"""jinja2 for templates that nobody has read: sandboxed, strict about names, with limits on loops and output.

No template reaches an attribute that begins with an underscore, a file (partials come from a mapping), the
clock or chance. Refused: what passes the limits of limits.py, recursive loops, showing a function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, TemplateNotFound, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError
from jinja2.loaders import FunctionLoader
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from promptops.prompts import filters
from promptops.prompts.limits import MAX_OUTPUT, MAX_RANGE, Budget, budget, check_bits, size_of, spending
from promptops.prompts.template import TemplateFault

MAIN: Final = "<template>"
# What rendering a template that is only wrong can raise: division by zero, adding text to numbers, and so on.
_ORDINARY: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


def render(text: str, values: Mapping[str, Any], partials: Mapping[str, str]) -> str:
    """Return the rendered text.

    Raises:
        TemplateFault: with the line, in the text or in a partial.
    """
    try:
        template, size = _compiled(text, tuple(sorted(partials.items())))
        with spending(Budget(macro_cost=size, largest=size_of(values))):
            return _within(template.generate(dict(values)))
    except TemplateFault as fault:
        raise _placed(fault, fault.reason) from fault
    except (TemplateError, SyntaxError, *_ORDINARY) as error:
        raise _placed(error, _words(error)) from error


def parsed(text: str, name: str | None = None) -> nodes.Template:
    """Return a template's tree as it is written.

    Raises:
        TemplateFault: it is not a template.
    """
    try:
        return _PLAIN.parse(text)
    except TemplateSyntaxError as error:
        raise TemplateFault(_words(error), line=error.lineno, name=name) from error
    except (TemplateError, RecursionError) as error:
        raise TemplateFault(_words(error), name=name) from error


class _Limited(NodeTransformer):
    """Rewrites a tree so that what can grow goes through a filter that counts it."""

    def visit_For(self, node: nodes.For, *arguments: Any) -> nodes.Node:  # noqa: N802
        if node.recursive:
            raise TemplateFault("recursive loops are not available here; use a macro", line=node.lineno)
        cost = sum(1 for _ in node.find_all(nodes.Node))
        self.generic_visit(node, *arguments)
        node.iter = _filtered(node.iter, "_counted", nodes.Const(cost))
        return node

    def visit_Concat(self, node: nodes.Concat, *arguments: Any) -> nodes.Node:  # noqa: N802
        self.generic_visit(node, *arguments)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "_concat")

    def _visit_made(self, node: Any, *arguments: Any) -> nodes.Node:
        self.generic_visit(node, *arguments)
        stored = isinstance(node, nodes.Tuple) and node.ctx != "load"
        return node if stored else _filtered(node, "_made")

    visit_List = visit_Tuple = visit_Dict = _visit_made  # noqa: N815


def _filtered(node: Any, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)


def _concat(parts: Iterable[str]) -> str:
    """Join what a macro or a block has made, counted before it is joined."""
    held = list(parts)
    budget().spend(len(held))
    budget().make(sum(map(len, held)))
    return "".join(held)


@pass_context
def _shown(context: Context, value: Any) -> Any:
    """What `{{ value }}` puts out; with the context, so that nothing is put out while compiling."""
    if callable(value) and not isinstance(value, StrictUndefined):
        raise TemplateFault("a function is shown instead of its result; call it with ()")
    text = value if isinstance(value, str) else str(value)
    budget().spend(1)
    budget().make(len(text))
    return text


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of one template and its partials."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    concat = staticmethod(_concat)

    def __init__(self, sources: Mapping[str, str]) -> None:
        super().__init__(
            loader=FunctionLoader(lambda name: _source(sources, name)),
            undefined=StrictUndefined,
            finalize=_shown,
            keep_trailing_newline=True,
            optimized=False,
            auto_reload=False,
        )
        self.filters: dict[str, Callable[..., Any]] = dict(_FILTERS)
        del self.globals["lipsum"]
        self.globals["range"] = _range
        self.sizes: dict[str, int] = {}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        self.sizes[name or MAIN] = sum(1 for _ in tree.find_all(nodes.Node))
        limited: nodes.Template = _Limited().visit(tree)
        return limited

    def get_template(self, name: Any, parent: str | None = None, globals: Any = None) -> Template:
        found = super().get_template(name, parent, globals)
        budget().spend(1 + self.sizes.get(found.name or MAIN, 0))
        return found

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]  # data may hold `items` or `keys`, which jinja2 would take for methods
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return super().is_safe_attribute(obj, attr, value) and filters.method_is_known(obj, attr)

    def wrap_str_format(self, value: Any) -> None:
        """`format` stays an ordinary method, and as such is not among those that a template may use."""

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        budget().spend(1)
        _check_operands(operator, left, right)
        if operator == "%" and isinstance(left, str):
            return filters.format_text(left, right)
        return budget().made(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        budget().spend(budget().macro_cost if isinstance(__obj, Macro) else 1)
        filters.check_method(__obj, args)
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str) and __obj.__name__ == "join" and args:
            return _FILTERS["join"](args[0], owner)
        return budget().made(super().call(__context, __obj, *args, **kwargs))


def _source(sources: Mapping[str, str], name: str) -> tuple[str, str, Callable[[], bool]] | None:
    return (sources[name], f"{MAIN}{name}", lambda: True) if name in sources else None


def _range(*arguments: int) -> range:
    made = range(*arguments)
    if len(made) > MAX_RANGE:
        raise TemplateFault(f"a range of more than {MAX_RANGE:,}")
    return made


def _check_operands(operator: str, left: Any, right: Any) -> None:
    """Refuse a product or a power before it is made."""
    if operator == "*" and isinstance(left, int) and isinstance(right, int):
        check_bits(left.bit_length() + right.bit_length())
    elif operator == "*":
        many, times = (right, left) if isinstance(left, int) else (left, right)
        if isinstance(many, (str, list, tuple)) and isinstance(times, int) and times > 0:
            unit = 1 if isinstance(many, str) else 10
            if len(many) * times * unit > budget().characters:
                budget().make(len(many) * times * unit)
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        check_bits(left.bit_length() * abs(right))


_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    **filters.guarded_filters(),
    "_counted": lambda values, cost: budget().counted(values, cost),
    "_concat": lambda parts: _concat([part if isinstance(part, str) else str(part) for part in parts]),
    "_made": lambda value: budget().made(value),
}
_PLAIN: Final = Sandbox({})


@functools.lru_cache(maxsize=64)
def _compiled(text: str, partials: tuple[tuple[str, str], ...]) -> tuple[Template, int]:
    """Return a template ready to render, and how many nodes it and its partials have."""
    sandbox = Sandbox(dict(partials))
    template = sandbox.from_string(text)
    return template, sandbox.sizes[MAIN] + sum(len(source) for _, source in partials) // 10


def _within(pieces: Iterable[str]) -> str:
    held, size = [], 0
    for piece in pieces:
        budget().spend(1)
        size += len(piece)
        if size > MAX_OUTPUT:
            raise TemplateFault(f"the template puts out more than {MAX_OUTPUT:,} characters")
        held.append(piece)
    return "".join(held)


def _words(error: BaseException) -> str:
    if isinstance(error, UndefinedError):
        return f"{error.message}; give it a value, or write {{{{ name | default('') }}}}"
    if isinstance(error, TemplateNotFound):
        return f"no partial called {error.name!r}"
    if isinstance(error, SecurityError):
        return f"not allowed: {error.message}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, TemplateError):
        return str(error.message)
    return f"{type(error).__name__}: {error}"[:200]


def _placed(error: BaseException, words: str) -> TemplateFault:
    """Return the fault with the template line that was being read or rendered."""
    if isinstance(error, TemplateSyntaxError):
        return TemplateFault(words, line=error.lineno, name=error.name)
    line, name = getattr(error, "line", 1), getattr(error, "name", None)
    at: TracebackType | None = error.__traceback__
    while at is not None:
        source = at.tb_frame.f_code.co_filename
        if source.startswith(MAIN):
            line, name = at.tb_lineno, source.removeprefix(MAIN) or None
        at = at.tb_next
    return TemplateFault(words, line=line, name=name)
