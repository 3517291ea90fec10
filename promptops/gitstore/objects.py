"""Many objects through one `git cat-file --batch`: never more questions at once than a pipe holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Final

from promptops.errors import RepoError

# Under the size of a pipe, so that neither side waits for the other while questions are being written.
_BATCH_BYTES: Final = 32_000


class Objects:
    """An open `git cat-file --batch`; what has been read once is kept."""

    def __init__(self, questions: IO[bytes], answers: IO[bytes], complaints: IO[bytes]) -> None:
        self._questions, self._answers, self._complaints = questions, answers, complaints
        self._known: dict[str, bytes | None] = {}

    def read(self, name: str) -> bytes | None:
        """Return the content of an object, None if there is none."""
        return self.read_many([name]).get(name)

    def read_many(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return name → content of what exists."""
        wanted = list(dict.fromkeys(names))
        for chunk in _chunks([name for name in wanted if name not in self._known and "\n" not in name]):
            try:
                self._questions.write("".join(f"{name}\n" for name in chunk).encode(errors="surrogateescape"))
                self._questions.flush()
            except BrokenPipeError as error:
                raise self._ended() from error
            for name in chunk:
                self._known[name] = self._answer()
        found = ((name, self._known.get(name)) for name in wanted)
        return {name: content for name, content in found if content is not None}

    def _answer(self) -> bytes | None:
        header = self._answers.readline().split()
        if len(header) != 3 or not header[2].isdigit():
            if not header:
                raise self._ended()
            return None
        content = self._answers.read(int(header[2]))
        self._answers.read(1)
        return content

    def _ended(self) -> RepoError:
        """A damaged repository, or one that would have to fetch and cannot."""
        self._complaints.seek(0)
        words = own_words(self._complaints.read(10_000).decode(errors="replace"))
        return RepoError(f"git cat-file ended before it had answered: {words}")


def own_words(text: str) -> str:
    """Return what git or a hook printed, as one line without its prefixes."""
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    said = [
        line.removeprefix("fatal: ").removeprefix("error: ") for line in lines if not line.startswith("hint:")
    ]
    return "; ".join(said) or "failed without a word"


def _chunks(names: list[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for name in names:
        if chunk and size + len(name) * 4 + 1 > _BATCH_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(name)
        size += len(name) * 4 + 1
    if chunk:
        yield chunk
