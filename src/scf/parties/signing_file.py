"""Files to sign away from the server: EIP-712 documents, read and signed by a key that never leaves its owner."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.ledger.statements import digest_of

MOST_DOCUMENTS = 1_000
_PARTS = ("types", "primaryType", "domain", "message")


def documents_in(raw: bytes) -> list[dict[str, Any]]:
    """The documents of a file a page gave, or the one document it is. Raises Problem `signing_file_unreadable`."""
    try:
        content = json.loads(raw)
    except ValueError as error:
        raise Problem("signing_file_unreadable", reason="JSON") from error
    found = content.get("documents", [content]) if isinstance(content, dict) else content
    if not isinstance(found, list) or not 0 < len(found) <= MOST_DOCUMENTS:
        raise Problem("signing_file_unreadable", reason="documents")
    for one in found:
        if not isinstance(one, dict) or any(name not in one for name in _PARTS):
            raise Problem("signing_file_unreadable", reason=", ".join(_PARTS))
        digest_of(one)
    return found


def sign_documents(documents: Sequence[dict[str, Any]], private: bytes) -> list[bytes]:
    """A signature over each document, in the order of the file. Raises Problem `ledger_bad_message`."""
    return [sign_digest(private, digest_of(one)) for one in documents]
