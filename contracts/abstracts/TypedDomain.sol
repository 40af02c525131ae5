// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title TypedDomain: the EIP-712 domain of one contract, version "1", without storage.
abstract contract TypedDomain is IERC5267 {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    bytes32 private immutable _nameHash;
    bytes32 private immutable _separator;
    uint256 private immutable _chainId;

    constructor(string memory name) {
        _nameHash = keccak256(bytes(name));
        _chainId = block.chainid;
        _separator = _buildSeparator();
    }

    /// @inheritdoc IERC5267
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        return (hex"0f", _domainName(), "1", block.chainid, address(this), bytes32(0), new uint256[](0));
    }

    /// @dev The name whose hash is in the domain; the same as was given to the constructor.
    function _domainName() internal pure virtual returns (string memory);

    /// @dev Follows the chain id, so that a signature cannot be used on a fork that took another one.
    function _hashTypedData(bytes32 structHash) internal view returns (bytes32) {
        bytes32 separator = block.chainid == _chainId ? _separator : _buildSeparator();
        return MessageHashUtils.toTypedDataHash(separator, structHash);
    }

    function _buildSeparator() private view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, _nameHash, keccak256("1"), block.chainid, address(this)));
    }
}
