// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Errors} from "../libraries/Errors.sol";
import {TypedDomain} from "./TypedDomain.sol";

/// @title SignedActs: each party signs its own act, anyone may relay it.
abstract contract SignedActs is TypedDomain {
    /// @dev An empty signature means that the key itself calls.
    function _requireAct(address key, bytes32 structHash, uint40 deadline, bytes calldata signature) internal view {
        _requireInTime(deadline);
        if (signature.length == 0) _requireCaller(key);
        else _requireSignature(key, structHash, signature);
    }

    function _requireInTime(uint40 deadline) internal view {
        if (block.timestamp > deadline) revert Errors.SignatureExpired(deadline);
    }

    function _requireCaller(address key) internal view {
        if (msg.sender != key || key == address(0)) revert Errors.NotAuthorised(key);
    }

    /// @dev ECDSA first: a contract's code is only asked when recovery does not give the key.
    function _requireSignature(address key, bytes32 structHash, bytes calldata signature) internal view {
        bytes32 digest = _hashTypedData(structHash);
        if (key == address(0)) revert Errors.NotAuthorised(key);
        if (signature.length == 65) {
            (address signer,,) =
                ECDSA.tryRecover(digest, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64]));
            if (signer == key) return;
        }
        if (!SignatureChecker.isValidERC1271SignatureNow(key, digest, signature)) revert Errors.NotAuthorised(key);
    }

    /// @dev No person's signature stands in both: where two parties sign the same message, owners whom their contract
    /// accounts share must not be heard for the other side too. A valid signature can be written in one way only.
    function _requireOtherPeople(bytes calldata one, bytes calldata other) internal pure {
        for (uint256 i; i + 65 <= one.length; i += 65) {
            bytes32 person = keccak256(one[i:i + 65]);
            for (uint256 j; j + 65 <= other.length; j += 65) {
                if (keccak256(other[j:j + 65]) == person) revert Errors.SignatureCountedTwice();
            }
        }
    }
}
