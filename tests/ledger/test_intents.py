"""What a party signs: digests agree with an independent EIP-712 implementation; nonsense is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ledger.chains import KEYS

from scf.kernel.problems import Problem
from scf.ledger import intents, signing
from scf.ledger.hashing import keccak
from scf.ledger.transactions import UnreadableTransactionError, decode_transaction, sign_transaction


class _Domain:
    """Stands in for deployed contracts: a chain id and one address for every contract."""

    chain_id = 20_260

    class _Handle:
        address = "0x5FbDB2315678afecb367f032d93F642f64180aa3"

    def handle(self, name: str) -> Any:
        return self._Handle


DOMAIN: Any = _Domain()
ALL = [(contract, text.split("(")[0]) for contract, texts in intents.TYPES.items() for text in texts]


def _value(kind: str, structs: dict[str, Any], draw: Any) -> Any:
    if kind.endswith("[]"):
        return [_value(kind[:-2], structs, draw) for _ in range(draw(st.integers(0, 3)))]
    if kind in structs:
        return {name: _value(inner, structs, draw) for inner, name in structs[kind]}
    if kind == "address":
        return signing.checksum(draw(st.binary(min_size=20, max_size=20)))
    if kind == "bytes32":
        return draw(st.binary(min_size=32, max_size=32))
    if kind == "bool":
        return draw(st.booleans())
    return draw(st.integers(0, 2 ** int(kind[4:]) - 1))


@pytest.mark.parametrize(("contract", "primary"), ALL)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_digest_signature_and_wallet_document_agree(contract: str, primary: str, data: st.DataObject):
    structs = dict(intents._structs(contract, primary))
    message = _value(primary, structs, data.draw)
    document = json.loads(json.dumps(intents.typed_data(DOMAIN, contract, primary, message)))
    for number in _large_numbers(document["message"]):
        assert isinstance(number, int)
    document["message"] = _as_integers(document["message"], primary, structs)
    signable = encode_typed_data(full_message=document)
    digest = intents.digest(DOMAIN, contract, primary, message)
    assert keccak(b"\x19\x01" + signable.header + signable.body) == digest
    signature = intents.sign(KEYS[0], DOMAIN, contract, primary, message)
    assert signature == bytes(Account.sign_message(signable, KEYS[0]).signature)
    assert intents.recover(DOMAIN, contract, primary, message, signature) == signing.address_of(KEYS[0])
    assert intents.contract_of(primary) == contract


def _large_numbers(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [number for inner in value.values() for number in _large_numbers(inner)]
    if isinstance(value, list):
        return [number for inner in value for number in _large_numbers(inner)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) and value > 2**53 else []


def _as_integers(value: Any, kind: str, structs: dict[str, Any]) -> Any:
    """The reference implementation wants integers where a wallet takes decimal text."""
    if kind.endswith("[]"):
        return [_as_integers(inner, kind[:-2], structs) for inner in value]
    if kind in structs:
        return {name: _as_integers(value[name], inner, structs) for inner, name in structs[kind]}
    return int(value) if kind.startswith("uint") else value


def test_what_does_not_fit_is_refused_before_it_is_signed():
    good = {"noteId": 1, "deadline": 2}
    intents.digest(DOMAIN, "Receivables", "Accept", good)
    for bad in (
        {"noteId": 1},
        {**good, "extra": 1},
        {**good, "deadline": 2**40},
        {**good, "noteId": -1},
        {**good, "noteId": 1.5},
    ):
        with pytest.raises(Problem) as caught:
            intents.digest(DOMAIN, "Receivables", "Accept", bad)
        assert caught.value.code == "ledger_bad_message"
    with pytest.raises(Problem, match="unknown type"):
        intents.digest(DOMAIN, "Receivables", "Steal", {})


def test_a_quorum_signs_sorted_by_signer_whoever_came_first():
    digest = keccak(b"act")
    signatures = intents.quorum_digest(KEYS[:5], digest)
    signers = [signing.canonical(signing.recover_digest(digest, signature)) for signature in signatures]
    assert signers == sorted(signers)
    assert intents.sort_signatures(digest, reversed(signatures)) == signatures


def test_malleable_short_and_foreign_signatures_are_refused():
    digest = keccak(b"act")
    good = signing.sign_digest(KEYS[0], digest)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    flipped = good[:32] + (order - int.from_bytes(good[32:64], "big")).to_bytes(32, "big") + bytes((55 - good[64],))
    for bad in (flipped, good[:64], good + b"\0", bytes(65), good[:64] + b"\x1d"):
        with pytest.raises(Problem) as caught:
            signing.recover_digest(digest, bad)
        assert caught.value.code == "ledger_bad_signature"
    assert signing.recover_digest(keccak(b"other"), good) != signing.address_of(KEYS[0])


def test_addresses_with_wrong_check_letters_are_refused():
    address = signing.address_of(KEYS[0])
    assert signing.checksum(signing.canonical(address.lower())) == address
    for bad in (address[:-1] + address[-1].swapcase() if address[-1].isalpha() else address.swapcase(), "0x12", "äö"):
        with pytest.raises(Problem) as caught:
            signing.canonical(bad)
        assert caught.value.code == "ledger_bad_address"


@settings(max_examples=25, deadline=None)
@given(
    nonce=st.integers(0, 2**40),
    data=st.binary(max_size=80),
    to=st.one_of(st.just(b""), st.binary(min_size=20, max_size=20)),
    gas=st.integers(21_000, 2**40),
)
def test_raw_transactions_equal_those_of_a_wallet_library(nonce: int, data: bytes, to: bytes, gas: int):
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": 77,
        "nonce": nonce,
        "value": 0,
        "data": data,
        "gas": gas,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
    }
    if to:
        fields["to"] = signing.checksum(to)
    expected = Account.sign_transaction(fields, KEYS[1])
    raw = sign_transaction(KEYS[1], chain_id=77, nonce=nonce, to=to, data=data, gas=gas)
    assert raw == bytes(expected.raw_transaction)
    read = decode_transaction(raw)
    assert (read.hash, read.nonce, read.to, read.data, read.gas) == (bytes(expected.hash), nonce, to, data, gas)
    assert signing.checksum(read.sender) == signing.address_of(KEYS[1])


def test_legacy_transactions_need_a_chain_id():
    fields = {"nonce": 0, "value": 0, "data": b"", "gas": 21_000, "gasPrice": 0, "to": signing.address_of(KEYS[1])}
    with_chain = bytes(Account.sign_transaction({**fields, "chainId": 5}, KEYS[0]).raw_transaction)
    read = decode_transaction(with_chain)
    assert (read.chain_id, read.type_id, signing.checksum(read.sender)) == (5, 0, signing.address_of(KEYS[0]))
    without = bytes(Account.sign_transaction(fields, KEYS[0]).raw_transaction)
    with pytest.raises(UnreadableTransactionError):
        decode_transaction(without)
