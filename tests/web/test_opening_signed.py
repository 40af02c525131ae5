"""An account opened by two houses whose keys the server never sees."""

from __future__ import annotations

import re

from tests.api.installation import HARBOUR, PINE, Installation
from tests.web.test_opening import filled
from tests.web.test_signing import Person, hidden, person, taken

from scf.demo.cast import demo_signers
from scf.parties.signing_file import sign_documents

__all__ = ["person"]
THREE = {f"clause_{place}": "yes" for place in range(3)}


def test_two_houses_open_an_account_with_keys_the_server_never_sees(demo: Installation, person: Person) -> None:
    """Each side takes the opening and the statement of its reading away, and brings both signatures back."""
    lender, seller = person(HARBOUR), person(PINE)
    keys = {who: demo_signers(demo.app, demo.at(who))[0].private for who in (HARBOUR, PINE)}
    page = lender.post("/entrusted/open", data=filled(demo)).text
    asked = lender.post("/entrusted/open/sign", data={"sealed": hidden(page), **THREE}).text
    documents = taken(lender, hidden(asked))
    assert [one["primaryType"] for one in documents] == ["Opening", "Reading"]
    wrong = "\n".join(part.hex() for part in sign_documents(documents, keys[PINE]))
    refused = lender.post("/entrusted/open/sign", data={"sealed": hidden(asked), "signatures": wrong})
    assert refused.status_code >= 400 and "Download what to sign" in refused.text
    right = "\n".join(part.hex() for part in sign_documents(documents, keys[HARBOUR]))
    path = lender.post("/entrusted/open/sign", data={"sealed": hidden(asked), "signatures": right}).url.path
    assert path.startswith("/entrusted/openings/0x")
    boxes = {f"clause_{place}": "yes" for place in range(4)}
    asked = seller.post(path, data={"sealed": hidden(seller.get(path).text), **boxes}).text
    signatures = "\n".join(part.hex() for part in sign_documents(taken(seller, hidden(asked)), keys[PINE]))
    done = seller.post(path, data={"sealed": hidden(asked), "signatures": signatures})
    assert re.fullmatch(r"/entrusted/\d+", done.url.path), done.text[-1500:]
