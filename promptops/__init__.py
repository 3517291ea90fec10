"""Releases for prompts, native to git."""
