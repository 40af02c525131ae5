// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Members: who may act, in what role, within what limit.
/// @notice One packed word a member answers membership, role, standing, organisation and current signing key in a
/// single storage read. The word is pushed to every connected contract, so that the hot path never leaves it.
/// Word layout, low bits first: key 160 | organisation 32 | roles 32 | standing 8 | unused 24.
interface IMembers {
    /// @param member identity address; stays for life, key rotation changes only `key`
    /// @param key address whose signature (or ERC-1271 answer) counts as the member's act
    /// @param organisation legal entity the key acts for; two persons of one firm share it
    /// @param roles bit set, see library Roles
    /// @param limit ceiling of an obligor's unpaid debt in minor units; 0 for all others
    /// @param payingBank member that attests payments of this obligor; zero for all others
    /// @param identity salted commitment to the off-chain registry record
    struct Enrolment {
        address member;
        address key;
        uint32 organisation;
        uint32 roles;
        uint64 limit;
        address payingBank;
        bytes32 identity;
    }

    /// @notice Owed: an obligor promised. Paid: a part was paid or cancelled, `PaidReported` the last part of a receivable
    /// reported overdue. Bought: locked for a financier. Returned: a financier gets back what it had passed on, which no
    /// limit refuses. Sold: a financier was paid, passed on, or did not get it after all.
    enum Counted {
        Owed,
        Paid,
        PaidReported,
        Bought,
        Returned,
        Sold
    }

    event Enrolled(
        address indexed member,
        address indexed key,
        uint32 indexed organisation,
        uint32 roles,
        uint64 limit,
        address payingBank,
        bytes32 identity
    );
    event StandingSet(address indexed member, uint8 standing, bytes32 reason);
    event LimitSet(address indexed obligor, uint64 limit);
    event GroupSet(address indexed obligor, uint24 indexed group);
    event GroupLimitSet(uint24 indexed group, uint16 indexed currency, uint64 limit);
    event FinancierLimitSet(address indexed financier, uint16 indexed currency, uint64 limit);
    event PayingBankSet(address indexed obligor, address payingBank);
    event Halted(address indexed obligor, uint64 receivableId, bytes32 reason);
    event Cured(address indexed obligor, bytes32 evidence);
    event KeyRotated(address indexed member, address indexed oldKey, address indexed newKey);
    event Connected(address indexed target);
    event OperatorsSet(address[] operators, uint8 threshold);

    // Acts of the operator quorum: `signatures` sorted by signer, at least `threshold` of them.
    /// @notice Operators enrol one member, or change the rights of one who is enrolled; the key of an enrolled
    /// member never changes here.
    function enrol(Enrolment calldata e, bytes[] calldata signatures) external;
    /// @notice Operators enrol several members in one act.
    function enrolMany(Enrolment[] calldata e, bytes[] calldata signatures) external;
    /// @notice Operators suspend (1), blacklist (2) or restore (0) a member; a halt stays as it is.
    function setStanding(address member, uint8 standing, bytes32 reason, bytes[] calldata signatures) external;
    /// @notice Operators set the ceiling of an obligor's unpaid debt; a lower one stops new issues only.
    function setLimit(address obligor, uint64 limit, bytes[] calldata signatures) external;
    /// @notice Operators say that an obligor belongs to a group of at most 64 whose debts count together; 0 takes it out.
    function setGroup(address obligor, uint24 group, bytes[] calldata signatures) external;
    /// @notice Operators set the ceiling of a group's unpaid debt in one currency; 2^64 - 1 is none.
    function setGroupLimit(uint24 group, uint16 currency, uint64 limit, bytes[] calldata signatures) external;
    /// @notice Operators set the ceiling of what a financier may have bought in one currency; 2^64 - 1 is none.
    function setFinancierLimit(address financier, uint16 currency, uint64 limit, bytes[] calldata signatures) external;
    /// @notice Operators name the member whose signature alone can say that this obligor paid. A bank in office is
    /// replaced with its own consent over the same message; with the obligor's where that bank is suspended or
    /// blacklisted: holders took the debt trusting that bank, so the operators alone cannot choose another.
    function setPayingBank(address obligor, address payingBank, bytes[] calldata signatures, bytes calldata consent)
        external;
    /// @notice Operators stop new issues, passes and financing of an obligor's debts; settlement goes on.
    function halt(address obligor, bytes32 reason, bytes[] calldata signatures) external;
    /// @notice Operators lift a halt, once no receivable reported overdue is unpaid.
    function cure(address obligor, bytes32 evidence, bytes[] calldata signatures) external;
    /// @notice Operators connect a contract that mirrors the members; the first one counts what is owed and bought, and
    /// says what is overdue.
    function connect(address target, bytes[] calldata signatures) external;
    /// @notice Operators replace themselves and their threshold.
    function setOperators(address[] calldata operators, uint8 threshold, bytes[] calldata signatures) external;

    // Act of the member: both keys sign.
    /// @notice A member changes its key: the old and the new key both sign; one intent works once.
    function rotateKey(
        address member,
        address newKey,
        uint40 deadline,
        bytes calldata oldSignature,
        bytes calldata newSignature
    ) external;

    // By fact, anyone: the receivable is unpaid after its maturity.
    /// @notice Anyone reports a receivable unpaid after its maturity; its obligor is halted by that fact.
    function haltOverdue(uint64 receivableId) external;

    /// @notice Anyone: pushes the words of these members again, for contracts connected after they were enrolled.
    function sync(address[] calldata who) external;

    /// @notice Receivables alone: what an obligor owes or a financier has bought changed, as `act` says; refused above
    /// the obligor's limit, its group's or the financier's.
    function count(Counted act, address who, uint16 currency, uint64 amount) external;

    /// @notice All operators.
    function operatorList() external view returns (address[] memory);
    /// @notice All connected contracts, in the order of connection.
    function targetList() external view returns (address[] memory);
    /// @notice The packed word of a member; 0 for a stranger.
    function wordOf(address member) external view returns (uint256);
    /// @notice The key that signs for a member.
    function keyOf(address member) external view returns (address);
    /// @notice The legal entity a member belongs to.
    function organisationOf(address member) external view returns (uint32);
    /// @notice Whether a member has any of the given role bits.
    function hasRole(address member, uint32 role) external view returns (bool);
    /// @notice The ceiling of an obligor's unpaid debt in minor units.
    function limitOf(address obligor) external view returns (uint64);
    /// @notice Ceiling and use of an obligor's unpaid debt, all currencies together, in minor units.
    function exposureOf(address obligor) external view returns (uint64 limit, uint64 used);
    /// @notice An obligor's unpaid debt in one currency.
    function debtOf(address obligor, uint16 currency) external view returns (uint64);
    /// @notice How many receivables of this obligor were reported overdue and are not yet paid.
    function overdueOf(address obligor) external view returns (uint256);
    /// @notice The group an obligor belongs to; 0 for none.
    function groupOf(address obligor) external view returns (uint24);
    /// @notice The obligors of a group.
    function groupList(uint24 group) external view returns (address[] memory);
    /// @notice Ceiling (2^64 - 1 where none is set) and use of a group's unpaid debt in one currency.
    function groupExposureOf(uint24 group, uint16 currency) external view returns (uint64 limit, uint64 used);
    /// @notice Ceiling (2^64 - 1 where none is set) and use of what a financier has bought in one currency.
    function financierExposureOf(address financier, uint16 currency) external view returns (uint64 limit, uint64 used);
    /// @notice The bank that attests this obligor's payments.
    function payingBankOf(address obligor) external view returns (address);
    /// @notice The nonce that the next act of the operators must carry.
    function quorumNonce() external view returns (uint256);
    /// @notice Whether this account is an operator.
    function isOperator(address who) external view returns (bool);
    /// @notice How many operators an act needs.
    function threshold() external view returns (uint8);

    /// @notice Reverts unless `signatures` are at least `threshold` distinct operators over `digest`.
    function requireQuorum(bytes32 digest, bytes[] calldata signatures) external view;
}
