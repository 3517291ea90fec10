"""What a sample set is, as one digest: changed by any content, not by order or spelling."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from promptops.canonicaljson import canonical_json
from promptops.importers.ids import canonical
from promptops.importers.write import to_record
from promptops.samples import Sample


def content_hash(sample: Sample) -> str:
    """SHA-256, 64 hex digits, of everything in the sample except when it was imported and from which file.

    The id is in it and is not enough: an id that somebody wrote stays when the content is edited.

    Raises:
        rfc8785.CanonicalizationError: a text that has no canonical form; the readers let none through.
    """
    record = to_record(sample)
    source = {
        key: value for key, value in record.get("source", {}).items() if key not in ("imported_at", "uri")
    }
    return hashlib.sha256(canonical_json(canonical({**record, "source": source}))).hexdigest()


def samples_digest(hashes: Iterable[str]) -> str:
    """`sha256:` over content hashes in any order; what is there twice counts twice. 32 bytes a sample."""
    total = hashlib.sha256()
    for part in sorted(bytes.fromhex(text) for text in hashes):
        total.update(part)
    return f"sha256:{total.hexdigest()}"
