// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title EvidenceLog: heads of the off-chain evidence tree (RFC 6962), anchored one after the other.
interface IEvidenceLog {
    event Anchored(uint64 indexed size, bytes32 indexed root, address indexed operator, uint64 previousSize);

    /// @notice An operator anchors the tree head; sizes only grow, and each names the head it extends.
    function anchor(
        uint64 size,
        bytes32 root,
        uint64 previousSize,
        address operator,
        uint40 deadline,
        bytes calldata signature
    ) external;

    /// @notice The last head, and when it was anchored.
    function head() external view returns (uint64 size, bytes32 root, uint40 anchoredAt);
    /// @notice The root anchored for this size; 0 for none.
    function rootAt(uint64 size) external view returns (bytes32);
}
