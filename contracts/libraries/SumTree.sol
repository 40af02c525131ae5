// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title SumTree: Merkle sum tree over (recipient, amount).
/// @dev A node is uint192(hash) << 64 | uint64(sum). A leaf's hash takes 160 bytes (a tag, the tree's depth, its index,
/// recipient, amount), an inner node's 64 bytes, so that neither can stand for the other, nor a leaf for one of a
/// tree of another depth. An empty place is zero.
library SumTree {
    uint256 internal constant MAX_LEAVES = 1 << 17;
    bytes32 internal constant LEAF_TAG = keccak256("scf sum tree leaf");

    function leaf(uint256 depth, uint256 index, address to, uint64 amount) internal pure returns (uint256) {
        return (uint256(keccak256(abi.encode(LEAF_TAG, depth, index, to, amount))) << 64) | amount;
    }

    /// @dev Levels above the leaves of a tree for `count` of them; a single leaf is its own root.
    function depthOf(uint256 count) internal pure returns (uint256 depth) {
        while ((uint256(1) << depth) < count) ++depth;
    }

    /// @dev The root that this leaf and proof lead to; ok is false when a sum overflows 64 bits.
    function root(uint256 node, uint256 index, uint256[] calldata proof) internal pure returns (uint256, bool ok) {
        for (uint256 i; i < proof.length; ++i) {
            uint256 sibling = proof[i];
            uint256 sum = uint256(uint64(node)) + uint64(sibling);
            if (sum > type(uint64).max) return (0, false);
            (uint256 left, uint256 right) = (index >> i) & 1 == 0 ? (node, sibling) : (sibling, node);
            assembly ("memory-safe") {
                mstore(0x00, left)
                mstore(0x20, right)
                node := or(shl(64, keccak256(0x00, 0x40)), sum)
            }
        }
        return (node, true);
    }
}
