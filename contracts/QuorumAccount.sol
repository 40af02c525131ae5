// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Errors} from "./libraries/Errors.sol";

/// @title QuorumAccount: a member's key that only answers when `threshold` of its owners signed, maker and checker.
/// @notice Immutable: other owners mean another account and a key rotation in `Members`. It holds nothing and calls
/// nothing.
contract QuorumAccount is IERC1271 {
    /// @notice How many owners must sign.
    uint8 public immutable threshold;
    /// @notice Whether `who` is one of the owners.
    mapping(address who => bool) public isOwner;
    address[] private _owners;

    /// @param owners_ externally owned accounts, each once
    /// @param threshold_ how many of them must sign; at least two
    constructor(address[] memory owners_, uint8 threshold_) {
        if (threshold_ < 2 || owners_.length < threshold_ || owners_.length > 16) {
            revert Errors.QuorumAccount_BadOwners();
        }
        for (uint256 i; i < owners_.length; ++i) {
            if (owners_[i] == address(0) || isOwner[owners_[i]]) revert Errors.QuorumAccount_BadOwners();
            isOwner[owners_[i]] = true;
        }
        _owners = owners_;
        threshold = threshold_;
    }

    /// @notice All owners, as given.
    function owners() external view returns (address[] memory) {
        return _owners;
    }

    /// @notice ERC-1271: 0x1626ba7e when `signature` is 65-byte signatures over `hash` of at least `threshold`
    /// owners, put together in ascending order of signer, and of nobody else; 0xffffffff otherwise.
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        uint256 count = signature.length / 65;
        if (count < threshold || signature.length % 65 != 0) return 0xffffffff;
        address last;
        for (uint256 i; i < count; ++i) {
            bytes calldata one = signature[65 * i:65 * i + 65];
            (address signer,,) = ECDSA.tryRecover(hash, uint8(one[64]), bytes32(one[0:32]), bytes32(one[32:64]));
            if (signer <= last || !isOwner[signer]) return 0xffffffff;
            last = signer;
        }
        return IERC1271.isValidSignature.selector;
    }
}
