// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IMembers} from "../interfaces/IMembers.sol";
import {Errors} from "../libraries/Errors.sol";
import {Roles} from "../libraries/Roles.sol";
import {SignedActs} from "./SignedActs.sol";

/// @title MemberMirror: the members' words, pushed here by `Members`, so that no act calls another contract.
abstract contract MemberMirror is SignedActs {
    using Roles for uint256;

    /// @notice The registry that alone writes the mirror and knows the operators.
    IMembers public immutable members;
    mapping(address member => uint256) internal _words;
    uint256 internal _quorumNonce;

    constructor(address members_) {
        members = IMembers(members_);
    }

    function _requireFromMembers() internal view {
        if (msg.sender != address(members)) revert Errors.OnlyMembers(msg.sender);
    }

    /// @dev The word of a member in good standing with at least one of `roles`; roles 0 asks for standing alone.
    function _goodWord(address member, uint32 roles) internal view returns (uint256 word) {
        word = _words[member];
        if (!word.isGood() || (roles != 0 && !word.has(roles))) revert Errors.ERC7943CannotTransact(member);
    }

    function _keyOf(address member) internal view returns (address) {
        return _words[member].key();
    }

    function _requireQuorum(bytes32 structHash, bytes[] calldata signatures) internal view {
        members.requireQuorum(_hashTypedData(structHash), signatures);
    }
}
