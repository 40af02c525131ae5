// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// A small contract for tests of the engines: counts, emits, reverts, reads the block it is in.
contract Tally {
    mapping(address who => uint256) public countOf;
    uint256 public total;

    event Counted(address indexed who, uint256 indexed number, uint64 amount, bytes32 note);

    error TooMuch(uint256 wanted, uint256 most);

    function add(uint64 amount, bytes32 note) external returns (uint256) {
        if (amount > 1000) revert TooMuch(amount, 1000);
        countOf[msg.sender] += amount;
        total += amount;
        emit Counted(msg.sender, total, amount, note);
        return total;
    }

    function emitMany(uint256 n) external {
        for (uint256 i; i < n; ++i) emit Counted(msg.sender, i, uint64(n), bytes32(i));
    }

    function blockFacts() external view returns (uint256 number, uint256 time, bytes32 parent, uint256 random) {
        return (block.number, block.timestamp, blockhash(block.number - 1), block.prevrandao);
    }

    function recover(bytes32 digest, uint8 v, bytes32 r, bytes32 s) external pure returns (address) {
        return ecrecover(digest, v, r, s);
    }
}
