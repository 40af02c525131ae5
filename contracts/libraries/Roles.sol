// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Roles: the packed word that says everything about a member.
/// @dev Low bits first: key 160 | organisation 32 | roles 32 | standing 8 | unused 24. A zero word is no member.
library Roles {
    uint32 internal constant OBLIGOR = 1;
    uint32 internal constant SUPPLIER = 2;
    uint32 internal constant FINANCIER = 4;
    uint32 internal constant BANK = 8;
    uint32 internal constant ATTESTOR = 16;
    uint32 internal constant APPROVER = 32;
    uint32 internal constant OPERATOR = 64;
    uint32 internal constant AUDITOR = 128;
    uint32 internal constant REGULATOR = 256;
    uint32 internal constant ALL = 511;

    uint8 internal constant SUSPENDED = 1;
    uint8 internal constant BLACKLISTED = 2;
    uint8 internal constant HALTED = 4;

    function pack(address key_, uint32 organisation_, uint32 roles_, uint8 standing_) internal pure returns (uint256) {
        return uint256(uint160(key_)) | (uint256(organisation_) << 160) | (uint256(roles_) << 192)
            | (uint256(standing_) << 224);
    }

    function key(uint256 word) internal pure returns (address) {
        return address(uint160(word));
    }

    function organisation(uint256 word) internal pure returns (uint32) {
        return uint32(word >> 160);
    }

    function roles(uint256 word) internal pure returns (uint32) {
        return uint32(word >> 192);
    }

    function standing(uint256 word) internal pure returns (uint8) {
        return uint8(word >> 224);
    }

    function withKey(uint256 word, address key_) internal pure returns (uint256) {
        return (word & ~uint256(type(uint160).max)) | uint160(key_);
    }

    function withStanding(uint256 word, uint8 standing_) internal pure returns (uint256) {
        return (word & ~(uint256(0xff) << 224)) | (uint256(standing_) << 224);
    }

    /// @dev A member, neither suspended nor blacklisted. HALTED stops only an obligor's new issues and passes.
    function isGood(uint256 word) internal pure returns (bool) {
        return word != 0 && (word >> 224) & (SUSPENDED | BLACKLISTED) == 0;
    }

    function has(uint256 word, uint32 role) internal pure returns (bool) {
        return (word >> 192) & role != 0;
    }

    function isHalted(uint256 word) internal pure returns (bool) {
        return (word >> 224) & HALTED != 0;
    }
}
