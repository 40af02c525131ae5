// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC3525} from "@solvprotocol/erc-3525/ERC3525.sol";

/// The ERC-3525 reference: slot = receivable, token = note.
contract Reference3525 is ERC3525("note", "N", 2) {
    function issue(address to, uint256 slot, uint256 amount) external {
        _mint(to, slot, amount);
    }

    function passOne(uint256 id, address to, uint256 amount) external {
        transferFrom(id, to, amount);
    }

    function passMany(uint256 id, address[] calldata to, uint256 amount) external {
        for (uint256 i; i < to.length; ++i) {
            transferFrom(id, to[i], amount);
        }
    }

    function redeemMany(uint256, uint256[] calldata ids) external {
        for (uint256 i; i < ids.length; ++i) {
            _burn(ids[i]);
        }
    }
}
