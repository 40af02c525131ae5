// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {SignedActs} from "./abstracts/SignedActs.sol";
import {TypedDomain} from "./abstracts/TypedDomain.sol";
import {IEvidenceLog} from "./interfaces/IEvidenceLog.sol";
import {IMembers} from "./interfaces/IMembers.sol";
import {Errors} from "./libraries/Errors.sol";

/// @title EvidenceLog: heads of the off-chain evidence tree, each naming the one it extends.
contract EvidenceLog is IEvidenceLog, SignedActs {
    bytes32 private constant ANCHOR_TYPEHASH =
        keccak256("Anchor(uint64 size,bytes32 root,uint64 previousSize,address operator,uint40 deadline)");

    /// @notice The registry that knows the operators.
    IMembers public immutable members;
    uint64 private _size; // slot 0, with _anchoredAt
    uint40 private _anchoredAt;
    mapping(uint64 size => bytes32) private _roots;

    constructor(address members_) TypedDomain("scf EvidenceLog") {
        members = IMembers(members_);
    }

    /// @inheritdoc IEvidenceLog
    function anchor(
        uint64 size,
        bytes32 root,
        uint64 previousSize,
        address operator,
        uint40 deadline,
        bytes calldata signature
    ) external {
        _requireAct(
            operator,
            keccak256(abi.encode(ANCHOR_TYPEHASH, size, root, previousSize, operator, deadline)),
            deadline,
            signature
        );
        if (!members.isOperator(operator)) revert Errors.EvidenceLog_NotOperator(operator);
        if (previousSize != _size) revert Errors.EvidenceLog_WrongPrevious(previousSize, _size);
        // A single head may not use up all numbers that are left for the ones after it.
        if (size <= _size || size - _size > type(uint32).max) revert Errors.EvidenceLog_NotGrowing(size, _size);
        _size = size;
        _anchoredAt = uint40(block.timestamp);
        _roots[size] = root;
        emit Anchored(size, root, operator, previousSize);
    }

    /// @inheritdoc IEvidenceLog
    function head() external view returns (uint64 size, bytes32 root, uint40 anchoredAt) {
        return (_size, _roots[_size], _anchoredAt);
    }

    /// @inheritdoc IEvidenceLog
    function rootAt(uint64 size) external view returns (bytes32) {
        return _roots[size];
    }

    function _domainName() internal pure override returns (string memory) {
        return "scf EvidenceLog";
    }
}
