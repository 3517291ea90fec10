"""Literal API keys in text that people commit: found by their shape, named by their kind, never printed."""

from __future__ import annotations

import re

_KEYS = (
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"),
    ("an Anthropic key", r"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    ("an OpenAI key", r"\bsk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{16,}"),
    ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}"),
    ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{16,}"),
    ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a Google API key", r"\bAIza[0-9A-Za-z_-]{30,}"),
    ("a Hugging Face token", r"\bhf_[A-Za-z0-9]{20,}"),
    ("a Groq key", r"\bgsk_[A-Za-z0-9]{20,}"),
    ("a Stripe key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
)
_ANY_KEY = re.compile("|".join(f"(?P<k{number}>{pattern})" for number, (_, pattern) in enumerate(_KEYS)))
# What every one of them holds: most texts hold none, and looking for these takes a hundredth of the time.
_MARKS = (
    *("-----BEGIN ", "sk-", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *("glpat-", "xox", "AIza", "hf_", "gsk_", "k_live_", "k_test_"),
)
_SECRET_NAME = re.compile(
    r"(?:^|[_.-])(?:api_?key|key|token|secret|pass(?:word|wd)?|credentials?|authorization|cookie|bearer)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def literal_keys(text: str) -> list[tuple[int, str]]:
    """Return where literal keys begin in a text and of what kind they are; the keys stay in the text."""
    if not any(mark in text for mark in _MARKS):
        return []
    return [
        (match.start(), _KEYS[int((match.lastgroup or "k0")[1:])][0]) for match in _ANY_KEY.finditer(text)
    ]


def hide_keys(text: str) -> str:
    """Return the text with every literal key replaced by words."""
    return _ANY_KEY.sub("(a key, not shown)", text) if any(mark in text for mark in _MARKS) else text


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is better not printed: `api_key`, `password`, `accessToken`."""
    return _SECRET_NAME.search(_CAMEL.sub("_", name)) is not None
