// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {ERC6909} from "@openzeppelin/contracts/token/ERC6909/ERC6909.sol";
import {ERC1155 as LeanERC1155} from "solady/src/tokens/ERC1155.sol";
import {ERC6909 as LeanERC6909} from "solady/src/tokens/ERC6909.sol";

/// One id a receivable, a balance a holder; no terms, no evidence, no membership.
contract OpenZeppelin1155 is ERC1155("") {
    function issue(address to, uint256 id, uint256 amount) external {
        _mint(to, id, amount, "");
    }

    function passOne(uint256 id, address to, uint256 amount) external {
        _safeTransferFrom(msg.sender, to, id, amount, "");
    }

    function passMany(uint256 id, address[] calldata to, uint256 amount) external {
        for (uint256 i; i < to.length; ++i) {
            _safeTransferFrom(msg.sender, to[i], id, amount, "");
        }
    }

    function redeemMany(uint256 id, address[] calldata from) external {
        for (uint256 i; i < from.length; ++i) {
            _burn(from[i], id, balanceOf(from[i], id));
        }
    }
}

contract OpenZeppelin6909 is ERC6909 {
    function issue(address to, uint256 id, uint256 amount) external {
        _mint(to, id, amount);
    }

    function passOne(uint256 id, address to, uint256 amount) external {
        _transfer(msg.sender, to, id, amount);
    }

    function passMany(uint256 id, address[] calldata to, uint256 amount) external {
        for (uint256 i; i < to.length; ++i) {
            _transfer(msg.sender, to[i], id, amount);
        }
    }

    function redeemMany(uint256 id, address[] calldata from) external {
        for (uint256 i; i < from.length; ++i) {
            _burn(from[i], id, balanceOf(from[i], id));
        }
    }
}

contract Solady1155 is LeanERC1155 {
    function uri(uint256) public pure override returns (string memory) {
        return "";
    }

    function issue(address to, uint256 id, uint256 amount) external {
        _mint(to, id, amount, "");
    }

    function passOne(uint256 id, address to, uint256 amount) external {
        _safeTransfer(address(0), msg.sender, to, id, amount, "");
    }

    function passMany(uint256 id, address[] calldata to, uint256 amount) external {
        for (uint256 i; i < to.length; ++i) {
            _safeTransfer(address(0), msg.sender, to[i], id, amount, "");
        }
    }

    function redeemMany(uint256 id, address[] calldata from) external {
        for (uint256 i; i < from.length; ++i) {
            _burn(address(0), from[i], id, balanceOf(from[i], id));
        }
    }
}

contract Solady6909 is LeanERC6909 {
    function name(uint256) public pure override returns (string memory) {
        return "";
    }

    function symbol(uint256) public pure override returns (string memory) {
        return "";
    }

    function tokenURI(uint256) public pure override returns (string memory) {
        return "";
    }

    function issue(address to, uint256 id, uint256 amount) external {
        _mint(to, id, amount);
    }

    function passOne(uint256 id, address to, uint256 amount) external {
        _transfer(address(0), msg.sender, to, id, amount);
    }

    function passMany(uint256 id, address[] calldata to, uint256 amount) external {
        for (uint256 i; i < to.length; ++i) {
            _transfer(address(0), msg.sender, to[i], id, amount);
        }
    }

    function redeemMany(uint256 id, address[] calldata from) external {
        for (uint256 i; i < from.length; ++i) {
            _burn(from[i], id, balanceOf(from[i], id));
        }
    }
}
