// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IMembers} from "../interfaces/IMembers.sol";
import {Errors} from "../libraries/Errors.sol";
import {Exposures} from "../libraries/Exposures.sol";

/// @title Limits: how much may be owed and bought, and how much is. `Members` says by whose signatures they move.
/// @notice Three kinds: an obligor's unpaid debt; that of a group of obligors in one currency; what a financier has
/// bought or locked in one currency and was not repaid. A lower limit, or a new member of a group, stops new acts only.
/// @dev The use of a group is never stored: it is its members' debts, read when one of them issues. So a member that
/// joins or leaves takes what it owes along, and nothing can run apart.
abstract contract Limits is IMembers {
    using Exposures for uint256;

    uint256 internal constant MAX_GROUP = 64;

    mapping(address obligor => uint256) internal _exposures; // library Exposures
    mapping(uint256 currencyAndObligor => uint256) private _foreign; // debt that is not in the obligor's first currency
    mapping(uint256 currencyAndGroup => uint256) private _groupLimits; // inverted, so that none set is no limit
    mapping(uint256 currencyAndFinancier => uint256) private _bought; // inverted limit 64 | used 64
    mapping(uint24 group => address[]) private _groups;
    address internal _ledger; // the first contract connected, which alone counts

    // ------------------------------------------------------------------ counted by Receivables alone

    /// @inheritdoc IMembers
    function count(Counted act, address who, uint16 currency, uint64 amount) external {
        if (msg.sender != _ledger) revert Errors.Members_NotLedger(msg.sender);
        if (act == Counted.Owed) _owe(who, currency, amount);
        else if (act <= Counted.PaidReported) _pay(who, currency, amount, act == Counted.PaidReported);
        else if (act == Counted.Sold) _bought[_key(currency, who)] -= uint256(amount) << 64;
        else _buy(who, currency, amount, act == Counted.Returned);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IMembers
    function limitOf(address obligor) external view returns (uint64) {
        return _exposures[obligor].limit();
    }

    /// @inheritdoc IMembers
    function exposureOf(address obligor) external view returns (uint64 limit, uint64 used) {
        uint256 exposure = _exposures[obligor];
        return (exposure.limit(), uint64(exposure.used()));
    }

    /// @inheritdoc IMembers
    function debtOf(address obligor, uint16 currency) external view returns (uint64) {
        return uint64(_debtOf(obligor, currency));
    }

    /// @inheritdoc IMembers
    function overdueOf(address obligor) external view returns (uint256) {
        return _exposures[obligor].overdue();
    }

    /// @inheritdoc IMembers
    function groupOf(address obligor) external view returns (uint24) {
        return _exposures[obligor].group();
    }

    /// @inheritdoc IMembers
    function groupList(uint24 group) external view returns (address[] memory) {
        return _groups[group];
    }

    /// @inheritdoc IMembers
    function groupExposureOf(uint24 group, uint16 currency) external view returns (uint64 limit, uint64 used) {
        return (_groupLimit(group, currency), uint64(_groupDebt(group, currency)));
    }

    /// @inheritdoc IMembers
    function financierExposureOf(address financier, uint16 currency) external view returns (uint64 limit, uint64 used) {
        uint256 bought = _bought[_key(currency, financier)];
        return (~uint64(bought), uint64(bought >> 64));
    }

    // ------------------------------------------------------------------ inside

    function _owe(address obligor, uint16 currency, uint256 amount) private {
        uint256 exposure = _exposures[obligor];
        uint256 wanted = exposure.used() + amount;
        if (wanted > exposure.limit()) revert Errors.Members_LimitExceeded(obligor, wanted, exposure.limit());
        if (exposure.used() == 0) exposure = exposure.withCurrency(currency);
        exposure += amount << 64;
        if (exposure.currency() != currency) {
            exposure += amount << 128;
            _foreign[_key(currency, obligor)] += amount;
        }
        _exposures[obligor] = exposure;
        uint24 group = exposure.group();
        if (group != 0) _requireGroupLimit(group, currency);
    }

    function _pay(address obligor, uint16 currency, uint256 amount, bool wasReported) private {
        uint256 exposure = _exposures[obligor];
        if (exposure.currency() != currency) {
            exposure -= amount << 128;
            _foreign[_key(currency, obligor)] -= amount;
        }
        exposure -= amount << 64;
        if (wasReported) exposure -= Exposures.ONE_OVERDUE;
        _exposures[obligor] = exposure;
    }

    function _buy(address financier, uint16 currency, uint256 amount, bool isReturned) private {
        uint256 key = _key(currency, financier);
        uint256 bought = _bought[key] + (amount << 64);
        uint64 limit = ~uint64(bought);
        if (!isReturned && bought >> 64 > limit) {
            revert Errors.Members_FinancierLimitExceeded(financier, bought >> 64, limit);
        }
        _bought[key] = bought;
    }

    function _setGroup(address obligor, uint24 group) internal {
        uint256 exposure = _exposures[obligor];
        uint24 before = exposure.group();
        if (before != 0) {
            address[] storage left = _groups[before];
            uint256 last = left.length - 1;
            for (uint256 i; i < last; ++i) {
                if (left[i] == obligor) {
                    left[i] = left[last];
                    break;
                }
            }
            left.pop();
        }
        if (group != 0) {
            if (_groups[group].length == MAX_GROUP) revert Errors.Members_GroupFull(group);
            _groups[group].push(obligor);
        }
        _exposures[obligor] = exposure.withGroup(group);
    }

    function _setGroupLimit(uint24 group, uint16 currency, uint64 limit) internal {
        if (group == 0) revert Errors.Members_NoGroup();
        _groupLimits[_groupKey(group, currency)] = ~limit;
    }

    function _setFinancierLimit(address financier, uint16 currency, uint64 limit) internal {
        uint256 key = _key(currency, financier);
        _bought[key] = (_bought[key] >> 64 << 64) | ~limit;
    }

    function _requireGroupLimit(uint24 group, uint16 currency) private view {
        uint64 limit = _groupLimit(group, currency);
        if (limit == type(uint64).max) return;
        uint256 owed = _groupDebt(group, currency);
        if (owed > limit) revert Errors.Members_GroupLimitExceeded(group, owed, limit);
    }

    function _groupLimit(uint24 group, uint16 currency) private view returns (uint64) {
        return ~uint64(_groupLimits[_groupKey(group, currency)]);
    }

    function _groupDebt(uint24 group, uint16 currency) private view returns (uint256 owed) {
        address[] storage all = _groups[group];
        uint256 members = all.length;
        for (uint256 i; i < members; ++i) {
            owed += _debtOf(all[i], currency);
        }
    }

    function _debtOf(address obligor, uint16 currency) private view returns (uint256) {
        uint256 exposure = _exposures[obligor];
        if (exposure.currency() == currency) return exposure.used() - exposure.foreign();
        return exposure.foreign() == 0 ? 0 : _foreign[_key(currency, obligor)];
    }

    function _key(uint16 currency, address who) private pure returns (uint256) {
        return (uint256(currency) << 160) | uint160(who);
    }

    function _groupKey(uint24 group, uint16 currency) private pure returns (uint256) {
        return (uint256(currency) << 24) | group;
    }
}
