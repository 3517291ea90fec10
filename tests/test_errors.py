"""The kinds of failures: one vocabulary, a family and a cause."""

from __future__ import annotations

import pytest

from promptops.errors import (
    Malformed,
    Overloaded,
    ProviderError,
    Refused,
    TimedOut,
    Truncated,
    Unreachable,
    family_of,
)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ProviderError("x"), "error"),
        (Overloaded("x", retry_after=1.0), "overloaded"),
        (Refused("x"), "refused"),
        (Refused("x", only_this=True), "refused"),
        (Refused("x", cause="certificate"), "refused.certificate"),
        (Unreachable("x"), "unreachable.lost"),
        (Unreachable("x", cause="refused"), "unreachable.refused"),
        (Unreachable("x", cause="dns"), "unreachable.dns"),
        (TimedOut("x"), "timeout.total"),
        (TimedOut("x", cause="connect"), "timeout.connect"),
        (TimedOut("x", cause="first_token"), "timeout.first_token"),
        (TimedOut("x", cause="idle"), "timeout.idle"),
        (Malformed("x"), "malformed"),
        (Truncated("x"), "truncated"),
    ],
)
def test_a_failure_is_named_by_its_family_and_its_cause(error, kind) -> None:
    assert error.kind == kind
    assert family_of(kind) == error.family
    assert str(error) == "x"
    assert error.exit_code == 7
