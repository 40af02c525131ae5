// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Exposures: what an obligor may owe and owes, in one word.
/// @dev Low bits first: limit 64 | used 64 | foreign 64 | currency 16 | overdue 24 | group 24. `used` is all unpaid debt
/// in minor units; `currency` that of the first of it, and `foreign` the part of it in any other currency. `overdue`
/// counts receivables reported overdue and not paid yet.
library Exposures {
    uint256 internal constant ONE_OVERDUE = 1 << 208;
    uint256 private constant GROUP_MASK = uint256(type(uint24).max) << 232;

    function limit(uint256 exposure) internal pure returns (uint64) {
        return uint64(exposure);
    }

    function used(uint256 exposure) internal pure returns (uint256) {
        return uint64(exposure >> 64);
    }

    function foreign(uint256 exposure) internal pure returns (uint256) {
        return uint64(exposure >> 128);
    }

    function currency(uint256 exposure) internal pure returns (uint16) {
        return uint16(exposure >> 192);
    }

    function overdue(uint256 exposure) internal pure returns (uint256) {
        return uint24(exposure >> 208);
    }

    function group(uint256 exposure) internal pure returns (uint24) {
        return uint24(exposure >> 232);
    }

    function withLimit(uint256 exposure, uint64 limit_) internal pure returns (uint256) {
        return (exposure >> 64 << 64) | limit_;
    }

    function withCurrency(uint256 exposure, uint16 currency_) internal pure returns (uint256) {
        return (exposure & ~(uint256(type(uint16).max) << 192)) | (uint256(currency_) << 192);
    }

    function withGroup(uint256 exposure, uint24 group_) internal pure returns (uint256) {
        return (exposure & ~GROUP_MASK) | (uint256(group_) << 232);
    }
}
