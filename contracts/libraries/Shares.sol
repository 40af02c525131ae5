// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Shares: pro rata by largest remainder, one note at a time.
library Shares {
    /// @dev floor(amount * pot / base), and one unit more when the remainder is above the cut, or equal to it and
    /// `noteId` not above `cutNote`. A note without remainder never gets the unit.
    function share(uint256 amount, uint256 pot, uint256 base, uint256 cut, uint256 cutNote, uint256 noteId)
        internal
        pure
        returns (uint256 result)
    {
        uint256 product = amount * pot;
        result = product / base;
        uint256 remainder = product % base;
        if (remainder != 0 && (remainder > cut || (remainder == cut && noteId <= cutNote))) ++result;
    }
}
