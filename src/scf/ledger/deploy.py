"""Deployment of the contracts of one installation, idempotent by reference, and the check that they are there."""

from __future__ import annotations

from collections.abc import Sequence

from scf.kernel.problems import Problem
from scf.ledger.artifacts import artifact
from scf.ledger.contracts import CONTRACTS, Contracts, Handle, RefusedByContract, decode_error
from scf.ledger.hashing import keccak
from scf.ledger.intents import quorum
from scf.ledger.protocol import Ledger
from scf.ledger.relayer import Relayer
from scf.ledger.signing import address_of
from scf.ledger.types import Receipt


def deploy(relayer: Relayer, operator_keys: Sequence[bytes], threshold: int = 2) -> Contracts:
    """Deploy the contracts and connect them; a second call finds the first one's.

    Args:
        relayer: sends the transactions under references `deploy:…`.
        operator_keys: private keys of the operator quorum.
        threshold: how many of them an act of the quorum needs, at least 2.
    """
    operators = sorted((address_of(key) for key in operator_keys), key=str.lower)
    members = _create(relayer, "Members", operators, threshold)
    addresses = {"Members": members}
    for name in CONTRACTS[1:]:
        addresses[name] = _create(relayer, name, members)
    contracts = Contracts(relayer.ledger.chain_id, addresses)
    for target in (contracts.receivables, contracts.entrusted):
        _connect(relayer, contracts, target, operator_keys)
    return contracts


def creation_code(name: str, *args: object) -> bytes:
    """Creation code of a contract with its constructor's arguments. Raises Problem `ledger_bad_arguments`."""
    compiled = artifact(name)
    return compiled.bytecode + compiled.constructor.encode(args)


def check_code(ledger: Ledger, contracts: Contracts) -> None:
    """See `Contracts.check`."""
    if ledger.chain_id != contracts.chain_id:
        raise Problem("ledger_wrong_chain", found=ledger.chain_id, expected=contracts.chain_id)
    for name, address in contracts.addresses.items():
        found = ledger.proof(address).code_hash
        if found == keccak(b"") or not any(found):
            raise Problem("ledger_contracts_missing", contract=name, address=address)
        if not _same_code(ledger, contracts.handle(name)):
            raise Problem("ledger_contracts_other_version", contract=name, address=address)


def _same_code(ledger: Ledger, handle: Handle) -> bool:
    """Whether the code at the address is the artifact's, but for the immutables, which the compiler leaves zero."""
    code = ledger.code(handle.address)
    expected = handle.artifact.deployed_bytecode
    return len(code) == len(expected) and all(
        want == have or want == 0 for want, have in zip(expected, code, strict=True)
    )


def _create(relayer: Relayer, name: str, *args: object) -> str:
    receipt = relayer.deploy(f"deploy:{name}", creation_code(name, *args))
    _succeeded(receipt, name, "constructor")
    if receipt.contract_address is None:
        raise Problem("ledger_reference_reused", reference=f"deploy:{name}")
    return receipt.contract_address


def _connect(relayer: Relayer, contracts: Contracts, target: Handle, operator_keys: Sequence[bytes]) -> None:
    reference = f"deploy:connect:{target.name}"
    if relayer.knows(reference):
        relayer.recover()
        return
    nonce = contracts.members.read(relayer.ledger, "quorumNonce")
    signatures = quorum(operator_keys, contracts, "Members", "Connect", {"target": target.address, "nonce": nonce})
    receipt = relayer.send([(reference, contracts.members.call("connect", target.address, signatures))])[0]
    _succeeded(receipt, "Members", "connect")


def _succeeded(receipt: Receipt, contract: str, function: str) -> None:
    if not receipt.succeeded:
        raise RefusedByContract(decode_error(receipt.revert_data), contract=contract, function=function)
