// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Terms: what a receivable says, in two words.
/// @dev First word, all a pass needs, low bits first: obligor 160 | maturity 32 | least bits 8 | hour of issue 24 |
/// deepest tier 8 | status 8 | currency 16. `least bits` is the bit length of the smallest amount: an amount of more
/// bits is large enough without a look at the second word.
/// Second word: face 64 | outstanding 64 | paid 64 | smallest amount 48 | rounds 16.
library Terms {
    uint256 internal constant OFFERED = 1;
    uint256 internal constant OPEN = 2;
    uint256 internal constant CLOSED = 3;
    uint256 internal constant CANCELLED = 4;
    /// @dev added to the status once somebody reported the receivable as overdue
    uint256 internal constant REPORTED = 128;

    uint256 internal constant MAX_MATURITY = type(uint32).max;
    uint256 private constant STATUS_MASK = uint256(0xff) << 232;

    function pack(
        address obligor_,
        uint256 maturity_,
        uint256 smallest_,
        uint256 issuedHour_,
        uint256 maxTier_,
        uint256 currency_
    ) internal pure returns (uint256) {
        uint256 bits;
        while (smallest_ >> bits != 0) ++bits;
        return uint256(uint160(obligor_)) | (maturity_ << 160) | (bits << 192) | (issuedHour_ << 200)
            | (maxTier_ << 224) | (OFFERED << 232) | (currency_ << 240);
    }

    function obligor(uint256 terms) internal pure returns (address) {
        return address(uint160(terms));
    }

    function maturity(uint256 terms) internal pure returns (uint256) {
        return uint32(terms >> 160);
    }

    function leastBits(uint256 terms) internal pure returns (uint256) {
        return uint8(terms >> 192);
    }

    function issuedHour(uint256 terms) internal pure returns (uint256) {
        return uint24(terms >> 200);
    }

    function maxTier(uint256 terms) internal pure returns (uint256) {
        return uint8(terms >> 224);
    }

    function status(uint256 terms) internal pure returns (uint256) {
        return (terms >> 232) & 127;
    }

    function isReported(uint256 terms) internal pure returns (bool) {
        return (terms >> 232) & REPORTED != 0;
    }

    function currency(uint256 terms) internal pure returns (uint16) {
        return uint16(terms >> 240);
    }

    function withStatus(uint256 terms, uint256 status_) internal pure returns (uint256) {
        return (terms & ~STATUS_MASK) | (status_ << 232);
    }

    function packSums(uint256 face_, uint256 outstanding_, uint256 paid_, uint256 smallest_, uint256 rounds_)
        internal
        pure
        returns (uint256)
    {
        return face_ | (outstanding_ << 64) | (paid_ << 128) | (smallest_ << 192) | (rounds_ << 240);
    }

    function face(uint256 sums) internal pure returns (uint256) {
        return uint64(sums);
    }

    function outstanding(uint256 sums) internal pure returns (uint256) {
        return uint64(sums >> 64);
    }

    function paid(uint256 sums) internal pure returns (uint256) {
        return uint64(sums >> 128);
    }

    function smallest(uint256 sums) internal pure returns (uint256) {
        return uint48(sums >> 192);
    }

    function rounds(uint256 sums) internal pure returns (uint256) {
        return sums >> 240;
    }
}
