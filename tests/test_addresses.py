from __future__ import annotations

import pytest

from promptops.addresses import header_problem, join_url, url_problem, with_version


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("X-Team", "a\nX-Other: b", "the header X-Team holds signs"),
        ("X-Team", "schlüssel-geheim", "the header X-Team holds signs"),
        ("X-Key", "top-secret\x00", "the header X-Key holds signs"),
        ("X Team", "quiet-value", "'X Team' is no name"),
        ("X-Team\n", "quiet-value", r"'X-Team\n' is no name"),
        ("", "quiet-value", "'' is no name"),
    ],
)
def test_a_header_that_cannot_be_sent_is_named_and_its_value_not_shown(name, value, said) -> None:
    problem = header_problem(name, value)
    assert problem is not None
    assert problem.startswith(said)
    assert value not in problem
    assert "\n" not in problem


def test_a_header_that_can_be_sent_is_no_problem() -> None:
    assert header_problem("X-Team", "support, sales") is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://x/v1",
        "https://",
        "http://host/v1\n",
        "http://ho st/v1",
        "http://[::1/v1",
        "http://host:99999/v1",
        "http://me:secret-word@host/v1",
        "https://host/v1?key=sk-ant-abcdefghijklmnopqrst",
    ],
)
def test_an_address_that_is_none_is_not_shown(url) -> None:
    problem = url_problem(url)
    assert problem is not None
    assert "secret-word" not in problem
    assert "sk-ant" not in problem


@pytest.mark.parametrize("url", ["http://[::1]:8080/v1", "https://host", "https://host/a?api-version=1"])
def test_an_address_is_no_problem(url) -> None:
    assert url_problem(url) is None


def test_a_path_comes_before_the_query_of_the_base() -> None:
    assert join_url("http://h/v1/?a=1", "/chat") == "http://h/v1/chat?a=1"
    assert join_url("http://h/v1?a=1", "/x:go?alt=sse") == "http://h/v1/x:go?alt=sse&a=1"
    assert join_url("http://h", "/chat") == "http://h/chat"


@pytest.mark.parametrize(
    ("base", "whole"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1"),
        ("https://gateway.example/anthropic/", "https://gateway.example/anthropic/v1"),
        ("https://h/v1beta1/projects/p/google", "https://h/v1beta1/projects/p/google"),
        ("https://h/vertex?a=1", "https://h/vertex/v1?a=1"),
    ],
)
def test_the_version_of_an_api_is_added_where_the_path_has_none(base, whole) -> None:
    assert with_version(base, "v1") == whole
