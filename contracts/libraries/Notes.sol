// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Notes: a note is one word, and its id proves its descent.
/// @dev Low bits first: holder 160 | amount 64 | children 16 | tier 8 | flags 8. While a note is OFFERED, LOCKED or
/// MASS, `children` holds its deadline in whole hours after the hour of issue.
library Notes {
    uint256 internal constant OFFERED = 1;
    uint256 internal constant LOCKED = 2;
    uint256 internal constant FROZEN = 4;
    uint256 internal constant RECOURSE = 8;
    uint256 internal constant FINANCED = 16;
    uint256 internal constant MASS = 32;
    /// @dev made by a forced transfer after a payment: ties of rounding go by the id it came from
    uint256 internal constant MOVED = 64;
    /// @dev materialised leaf of a mass pass: its slot is never cleared, so that the leaf cannot be claimed twice
    uint256 internal constant LEAF = 128;
    /// @dev not in the hands of its holder yet
    uint256 internal constant PENDING = OFFERED | LOCKED | MASS;

    uint256 private constant AMOUNT_MASK = uint256(type(uint64).max) << 160;
    uint256 private constant CHILDREN_MASK = uint256(type(uint16).max) << 224;

    /// @dev receivableId << 192 | uint192(keccak256(abi.encode(parentId, childIndex, evidence)))
    function id(uint256 receivableId, uint256 parentId, uint256 childIndex, bytes32 evidence)
        internal
        pure
        returns (uint256 result)
    {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, parentId)
            mstore(add(p, 0x20), childIndex)
            mstore(add(p, 0x40), evidence)
            result := or(shl(192, receivableId), shr(64, shl(64, keccak256(p, 0x60))))
        }
    }

    function pack(address holder_, uint256 amount_, uint256 children_, uint256 tier_, uint256 flags_)
        internal
        pure
        returns (uint256)
    {
        return uint256(uint160(holder_)) | (amount_ << 160) | (children_ << 224) | (tier_ << 240) | (flags_ << 248);
    }

    function holder(uint256 note) internal pure returns (address) {
        return address(uint160(note));
    }

    function amount(uint256 note) internal pure returns (uint256) {
        return uint64(note >> 160);
    }

    function children(uint256 note) internal pure returns (uint256) {
        return uint16(note >> 224);
    }

    function tier(uint256 note) internal pure returns (uint256) {
        return uint8(note >> 240);
    }

    function flags(uint256 note) internal pure returns (uint256) {
        return note >> 248;
    }

    function withAmount(uint256 note, uint256 amount_) internal pure returns (uint256) {
        return (note & ~AMOUNT_MASK) | (amount_ << 160);
    }

    /// @dev Takes a share for a new child. The caller has checked amount and room for one child more.
    function spend(uint256 note, uint256 amount_) internal pure returns (uint256) {
        unchecked {
            return note - (amount_ << 160) + (uint256(1) << 224);
        }
    }

    /// @dev The holder has it: no pending flag, no deadline.
    function accepted(uint256 note) internal pure returns (uint256) {
        return note & ~((PENDING << 248) | CHILDREN_MASK);
    }

    /// @dev What is left of a note whose value went back: holder and tier, so that the id is never free again.
    function emptied(uint256 note) internal pure returns (uint256) {
        return pack(holder(note), 0, 0, tier(note), 0);
    }
}
