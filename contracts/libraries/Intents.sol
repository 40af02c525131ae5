// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IReceivables} from "../interfaces/IReceivables.sol";

/// @title Intents: EIP-712 struct hashes of the acts on receivables. Field order is struct order.
library Intents {
    bytes32 private constant ISSUE = keccak256(
        "Issue(address obligor,address creditor,uint64 face,uint16 currency,uint40 maturity,uint8 maxTier,uint48 minAmount,bytes32 fingerprint,bytes32 document,uint40 offerUntil,uint40 deadline)"
    );
    bytes32 private constant PASS = keccak256(
        "Pass(uint256 parentId,uint16 childIndex,address to,uint64 amount,bytes32 evidence,uint40 offerUntil,uint40 deadline)"
    );
    bytes32 private constant PASS_MANY = keccak256(
        "PassMany(uint256 parentId,uint16 childIndex,address[] to,uint64[] amounts,bytes32[] evidence,uint40 offerUntil,uint40 deadline)"
    );
    bytes32 private constant MASS_PASS = keccak256(
        "MassPass(uint256 parentId,uint16 childIndex,uint256 root,uint32 count,bytes32 evidence,uint40 offerUntil,uint40 deadline)"
    );
    bytes32 private constant QUOTE = keccak256(
        "Quote(uint256 parentId,address financier,address payingBank,uint64 amount,uint64 net,uint64 discount,uint64 fees,uint32 aprPpm,bool recourse,bytes32 terms,bytes32 evidence,uint64 entrustedAccount,uint40 lockUntil,uint40 expiry)"
    );
    bytes32 private constant PAYMENT = keccak256(
        "Payment(uint64 receivableId,uint16 round,uint64 principal,uint64 interest,uint64 principalCut,uint256 principalCutNote,uint64 interestCut,uint256 interestCutNote,bytes32 bankReference,uint40 deadline)"
    );
    bytes32 private constant ACCEPT = keccak256("Accept(uint256 noteId,uint40 deadline)");
    bytes32 private constant ACCEPT_MANY = keccak256("AcceptMany(uint256[] noteIds,uint40 deadline)");
    bytes32 private constant REFUSE = keccak256("Refuse(uint256 noteId,bytes32 reason,uint40 deadline)");
    bytes32 private constant WITHDRAW = keccak256("Withdraw(uint256 noteId,uint40 deadline)");
    bytes32 private constant MATERIALISE =
        keccak256("Materialise(uint256 massId,uint32 leaf,address to,uint64 amount,uint40 deadline)");
    bytes32 private constant FINANCE_ACCEPT =
        keccak256("FinanceAccept(bytes32 quoteHash,bytes32 reading,uint40 deadline)");
    bytes32 private constant COMPLETE_FINANCING = keccak256(
        "CompleteFinancing(uint256 noteId,uint64 net,bytes32 registration,bytes32 bankReference,uint40 deadline)"
    );
    bytes32 private constant SET_FROZEN =
        keccak256("SetFrozen(uint256 noteId,bool frozenStatus,bytes32 reason,uint256 nonce)");
    bytes32 private constant FORCED_TRANSFER =
        keccak256("ForcedTransfer(uint256 noteId,address to,bytes32 reason,uint256 nonce)");

    function issue(IReceivables.Issue calldata i) internal pure returns (bytes32) {
        uint256 place;
        assembly ("memory-safe") {
            place := i
        }
        return _hash(ISSUE, place, 11);
    }

    function pass(IReceivables.Pass calldata i) internal pure returns (bytes32) {
        uint256 place;
        assembly ("memory-safe") {
            place := i
        }
        return _hash(PASS, place, 7);
    }

    function passMany(IReceivables.PassMany calldata i) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                PASS_MANY,
                i.parentId,
                i.childIndex,
                keccak256(abi.encodePacked(i.to)),
                keccak256(abi.encodePacked(i.amounts)),
                keccak256(abi.encodePacked(i.evidence)),
                i.offerUntil,
                i.deadline
            )
        );
    }

    function massPass(IReceivables.MassPass calldata i) internal pure returns (bytes32) {
        uint256 place;
        assembly ("memory-safe") {
            place := i
        }
        return _hash(MASS_PASS, place, 7);
    }

    function quote(IReceivables.Quote calldata i) internal pure returns (bytes32) {
        uint256 place;
        assembly ("memory-safe") {
            place := i
        }
        return _hash(QUOTE, place, 14);
    }

    function payment(IReceivables.Payment calldata i) internal pure returns (bytes32) {
        uint256 place;
        assembly ("memory-safe") {
            place := i
        }
        return _hash(PAYMENT, place, 10);
    }

    function accept(uint256 noteId, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACCEPT, noteId, deadline));
    }

    function acceptMany(uint256[] calldata noteIds, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACCEPT_MANY, keccak256(abi.encodePacked(noteIds)), deadline));
    }

    function refuse(uint256 noteId, bytes32 reason, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(REFUSE, noteId, reason, deadline));
    }

    function withdraw(uint256 noteId, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(WITHDRAW, noteId, deadline));
    }

    function materialise(uint256 massId, uint32 leaf, address to, uint64 amount, uint40 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(MATERIALISE, massId, leaf, to, amount, deadline));
    }

    function financeAccept(bytes32 quoteHash, bytes32 reading, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(FINANCE_ACCEPT, quoteHash, reading, deadline));
    }

    function completeFinancing(uint256 noteId, uint64 net, bytes32 registration, bytes32 bankReference, uint40 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(COMPLETE_FINANCING, noteId, net, registration, bankReference, deadline));
    }

    function setFrozen(uint256 noteId, bool frozenStatus, bytes32 reason, uint256 nonce)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(SET_FROZEN, noteId, frozenStatus, reason, nonce));
    }

    function forcedTransfer(uint256 noteId, address to, bytes32 reason, uint256 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encode(FORCED_TRANSFER, noteId, to, reason, nonce));
    }

    /// @dev keccak256(abi.encode(typeHash, struct)) of a struct of `words` value types at `place` in the call data. Bits
    /// above a field's width are hashed as sent, and refused where the field is read.
    function _hash(bytes32 typeHash, uint256 place, uint256 words) private pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, typeHash)
            calldatacopy(add(p, 0x20), place, shl(5, words))
            result := keccak256(p, add(0x20, shl(5, words)))
        }
    }
}
