// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Limits} from "./abstracts/Limits.sol";
import {SignedActs} from "./abstracts/SignedActs.sol";
import {TypedDomain} from "./abstracts/TypedDomain.sol";
import {IMembers} from "./interfaces/IMembers.sol";
import {Errors} from "./libraries/Errors.sol";
import {Exposures} from "./libraries/Exposures.sol";
import {Roles} from "./libraries/Roles.sol";

/// @dev What `Members` pushes to and asks of the contracts connected to it.
interface IConnected {
    function setMember(address member, uint256 word) external;
    function flagOverdue(uint64 receivableId) external returns (address obligor);
}

/// @title Members: the registry of who may act, and within what limit. It holds nothing and moves nothing.
contract Members is Limits, SignedActs {
    using Exposures for uint256;
    using Roles for uint256;

    uint256 private constant MAX_OPERATORS = 16;
    uint256 private constant MAX_TARGETS = 8;
    bytes32 private constant ENROLMENT_TYPEHASH = keccak256(
        "Enrolment(address member,address key,uint32 organisation,uint32 roles,uint64 limit,address payingBank,bytes32 identity)"
    );
    bytes32 private constant ENROL_TYPEHASH = keccak256(
        "Enrol(Enrolment e,uint256 nonce)"
        "Enrolment(address member,address key,uint32 organisation,uint32 roles,uint64 limit,address payingBank,bytes32 identity)"
    );
    bytes32 private constant ENROL_MANY_TYPEHASH = keccak256(
        "EnrolMany(Enrolment[] e,uint256 nonce)"
        "Enrolment(address member,address key,uint32 organisation,uint32 roles,uint64 limit,address payingBank,bytes32 identity)"
    );
    bytes32 private constant SET_STANDING_TYPEHASH =
        keccak256("SetStanding(address member,uint8 standing,bytes32 reason,uint256 nonce)");
    bytes32 private constant SET_LIMIT_TYPEHASH = keccak256("SetLimit(address obligor,uint64 limit,uint256 nonce)");
    bytes32 private constant SET_GROUP_TYPEHASH = keccak256("SetGroup(address obligor,uint24 group,uint256 nonce)");
    bytes32 private constant SET_GROUP_LIMIT_TYPEHASH =
        keccak256("SetGroupLimit(uint24 group,uint16 currency,uint64 limit,uint256 nonce)");
    bytes32 private constant SET_FINANCIER_LIMIT_TYPEHASH =
        keccak256("SetFinancierLimit(address financier,uint16 currency,uint64 limit,uint256 nonce)");
    bytes32 private constant SET_PAYING_BANK_TYPEHASH =
        keccak256("SetPayingBank(address obligor,address payingBank,uint256 nonce)");
    bytes32 private constant HALT_TYPEHASH = keccak256("Halt(address obligor,bytes32 reason,uint256 nonce)");
    bytes32 private constant CURE_TYPEHASH = keccak256("Cure(address obligor,bytes32 evidence,uint256 nonce)");
    bytes32 private constant CONNECT_TYPEHASH = keccak256("Connect(address target,uint256 nonce)");
    bytes32 private constant SET_OPERATORS_TYPEHASH =
        keccak256("SetOperators(address[] operators,uint8 threshold,uint256 nonce)");
    bytes32 private constant ROTATE_KEY_TYPEHASH =
        keccak256("RotateKey(address member,address newKey,uint40 deadline)");

    // the variables of Limits come first
    mapping(address member => uint256) private _words;
    mapping(address obligor => address) private _payingBanks;
    mapping(address key => address) private _memberOfKey; // one key acts for one member
    mapping(bytes32 structHash => bool) private _rotations;
    mapping(address who => bool) private _isOperator;
    address[] private _operators;
    address[] private _targets;
    uint256 private _quorumNonce;
    uint8 private _threshold;

    /// @param operators externally owned accounts or ERC-1271 accounts, at most 16
    /// @param threshold_ how many of them an act needs; at least two
    constructor(address[] memory operators, uint8 threshold_) TypedDomain("scf Members") {
        _setOperators(operators, threshold_);
    }

    // ------------------------------------------------------------------ acts of the operator quorum

    /// @inheritdoc IMembers
    function enrol(Enrolment calldata e, bytes[] calldata signatures) external {
        _requireAct(keccak256(abi.encode(ENROL_TYPEHASH, _hash(e), _quorumNonce)), signatures);
        _enrol(e);
    }

    /// @inheritdoc IMembers
    function enrolMany(Enrolment[] calldata e, bytes[] calldata signatures) external {
        bytes32[] memory hashes = new bytes32[](e.length);
        for (uint256 i; i < e.length; ++i) {
            hashes[i] = _hash(e[i]);
        }
        bytes32 all = keccak256(abi.encodePacked(hashes));
        _requireAct(keccak256(abi.encode(ENROL_MANY_TYPEHASH, all, _quorumNonce)), signatures);
        for (uint256 i; i < e.length; ++i) {
            _enrol(e[i]);
        }
    }

    /// @inheritdoc IMembers
    function setStanding(address member, uint8 standing, bytes32 reason, bytes[] calldata signatures) external {
        _requireAct(keccak256(abi.encode(SET_STANDING_TYPEHASH, member, standing, reason, _quorumNonce)), signatures);
        uint256 word = _known(member);
        if (standing & ~(Roles.SUSPENDED | Roles.BLACKLISTED) != 0) revert Errors.Members_StandingNotAllowed(standing);
        uint8 whole = standing | (word.standing() & Roles.HALTED);
        _set(member, word.withStanding(whole));
        emit StandingSet(member, whole, reason);
    }

    /// @inheritdoc IMembers
    function setLimit(address obligor, uint64 limit, bytes[] calldata signatures) external {
        _requireAct(keccak256(abi.encode(SET_LIMIT_TYPEHASH, obligor, limit, _quorumNonce)), signatures);
        _obligor(obligor);
        _exposures[obligor] = _exposures[obligor].withLimit(limit);
        emit LimitSet(obligor, limit);
    }

    /// @inheritdoc IMembers
    function setGroup(address obligor, uint24 group, bytes[] calldata signatures) external {
        _requireAct(keccak256(abi.encode(SET_GROUP_TYPEHASH, obligor, group, _quorumNonce)), signatures);
        _obligor(obligor);
        _setGroup(obligor, group);
        emit GroupSet(obligor, group);
    }

    /// @inheritdoc IMembers
    function setGroupLimit(uint24 group, uint16 currency, uint64 limit, bytes[] calldata signatures) external {
        _requireAct(keccak256(abi.encode(SET_GROUP_LIMIT_TYPEHASH, group, currency, limit, _quorumNonce)), signatures);
        _setGroupLimit(group, currency, limit);
        emit GroupLimitSet(group, currency, limit);
    }

    /// @inheritdoc IMembers
    function setFinancierLimit(address financier, uint16 currency, uint64 limit, bytes[] calldata signatures) external {
        _requireAct(
            keccak256(abi.encode(SET_FINANCIER_LIMIT_TYPEHASH, financier, currency, limit, _quorumNonce)), signatures
        );
        if (!_known(financier).has(Roles.FINANCIER)) revert Errors.Members_NotFinancier(financier);
        _setFinancierLimit(financier, currency, limit);
        emit FinancierLimitSet(financier, currency, limit);
    }

    /// @inheritdoc IMembers
    function setPayingBank(address obligor, address payingBank, bytes[] calldata signatures, bytes calldata consent)
        external
    {
        bytes32 structHash = keccak256(abi.encode(SET_PAYING_BANK_TYPEHASH, obligor, payingBank, _quorumNonce));
        _requireAct(structHash, signatures);
        uint256 word = _obligor(obligor);
        address inOffice = _payingBanks[obligor];
        if (inOffice != address(0)) {
            uint256 bank = _words[inOffice];
            address key = bank.isGood() ? bank.key() : word.key();
            _requireAct(key, structHash, type(uint40).max, consent);
        }
        _payingBanks[obligor] = payingBank;
        emit PayingBankSet(obligor, payingBank);
    }

    /// @inheritdoc IMembers
    function halt(address obligor, bytes32 reason, bytes[] calldata signatures) external {
        _requireAct(keccak256(abi.encode(HALT_TYPEHASH, obligor, reason, _quorumNonce)), signatures);
        uint256 word = _obligor(obligor);
        _set(obligor, word.withStanding(word.standing() | Roles.HALTED));
        emit Halted(obligor, 0, reason);
    }

    /// @inheritdoc IMembers
    function cure(address obligor, bytes32 evidence, bytes[] calldata signatures) external {
        _requireAct(keccak256(abi.encode(CURE_TYPEHASH, obligor, evidence, _quorumNonce)), signatures);
        uint256 word = _known(obligor);
        if (!word.isHalted()) revert Errors.Members_NotHalted(obligor);
        uint256 overdue = _exposures[obligor].overdue();
        if (overdue != 0) revert Errors.Members_StillOverdue(obligor, overdue);
        _set(obligor, word.withStanding(word.standing() & ~Roles.HALTED));
        emit Cured(obligor, evidence);
    }

    /// @inheritdoc IMembers
    function connect(address target, bytes[] calldata signatures) external {
        _requireAct(keccak256(abi.encode(CONNECT_TYPEHASH, target, _quorumNonce)), signatures);
        uint256 size = _targets.length;
        if (target.code.length == 0 || size == MAX_TARGETS) revert Errors.Members_BadTarget(target);
        for (uint256 i; i < size; ++i) {
            if (_targets[i] == target) revert Errors.Members_BadTarget(target);
        }
        if (size == 0) _ledger = target;
        _targets.push(target);
        emit Connected(target);
    }

    /// @inheritdoc IMembers
    function setOperators(address[] calldata operators, uint8 threshold_, bytes[] calldata signatures) external {
        bytes32 all = keccak256(abi.encodePacked(operators));
        _requireAct(keccak256(abi.encode(SET_OPERATORS_TYPEHASH, all, threshold_, _quorumNonce)), signatures);
        for (uint256 i; i < _operators.length; ++i) {
            delete _isOperator[_operators[i]];
        }
        _setOperators(operators, threshold_);
    }

    // ------------------------------------------------------------------ acts of members and of anyone

    /// @inheritdoc IMembers
    function rotateKey(
        address member,
        address newKey,
        uint40 deadline,
        bytes calldata oldSignature,
        bytes calldata newSignature
    ) external {
        uint256 word = _known(member);
        address oldKey = word.key();
        bytes32 structHash = keccak256(abi.encode(ROTATE_KEY_TYPEHASH, member, newKey, deadline));
        if (_rotations[structHash]) revert Errors.AlreadyUsed(structHash);
        _rotations[structHash] = true;
        _requireAct(oldKey, structHash, deadline, oldSignature);
        _requireAct(newKey, structHash, deadline, newSignature);
        _takeKey(newKey, member);
        delete _memberOfKey[oldKey];
        _set(member, word.withKey(newKey));
        emit KeyRotated(member, oldKey, newKey);
    }

    /// @inheritdoc IMembers
    function haltOverdue(uint64 receivableId) external {
        if (_ledger == address(0)) revert Errors.Members_NothingConnected();
        address obligor = IConnected(_ledger).flagOverdue(receivableId);
        _exposures[obligor] += Exposures.ONE_OVERDUE;
        uint256 word = _words[obligor];
        _set(obligor, word.withStanding(word.standing() | Roles.HALTED));
        emit Halted(obligor, receivableId, bytes32(0));
    }

    /// @inheritdoc IMembers
    function sync(address[] calldata who) external {
        for (uint256 i; i < who.length; ++i) {
            _set(who[i], _known(who[i]));
        }
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IMembers
    function wordOf(address member) external view returns (uint256) {
        return _words[member];
    }

    /// @inheritdoc IMembers
    function keyOf(address member) external view returns (address) {
        return _words[member].key();
    }

    /// @inheritdoc IMembers
    function organisationOf(address member) external view returns (uint32) {
        return _words[member].organisation();
    }

    /// @inheritdoc IMembers
    function hasRole(address member, uint32 role) external view returns (bool) {
        return _words[member].has(role);
    }

    /// @inheritdoc IMembers
    function payingBankOf(address obligor) external view returns (address) {
        return _payingBanks[obligor];
    }

    /// @inheritdoc IMembers
    function quorumNonce() external view returns (uint256) {
        return _quorumNonce;
    }

    /// @inheritdoc IMembers
    function isOperator(address who) external view returns (bool) {
        return _isOperator[who];
    }

    /// @inheritdoc IMembers
    function threshold() external view returns (uint8) {
        return _threshold;
    }

    /// @inheritdoc IMembers
    function operatorList() external view returns (address[] memory) {
        return _operators;
    }

    /// @inheritdoc IMembers
    function targetList() external view returns (address[] memory) {
        return _targets;
    }

    /// @inheritdoc IMembers
    function requireQuorum(bytes32 digest, bytes[] calldata signatures) public view {
        if (signatures.length < _threshold) revert Errors.Members_TooFewSignatures(signatures.length, _threshold);
        address last;
        for (uint256 i; i < signatures.length; ++i) {
            address signer = _signer(digest, signatures[i]);
            if (!_isOperator[signer]) revert Errors.Members_NotOperator(signer);
            if (signer <= last) revert Errors.Members_SignersNotSorted(last, signer);
            for (uint256 j; j < i; ++j) {
                _requireOtherPeople(_people(signatures[j]), _people(signatures[i]));
            }
            last = signer;
        }
    }

    // ------------------------------------------------------------------ inside

    /// @dev One act a nonce; the struct hash already holds the nonce it is for.
    function _requireAct(bytes32 structHash, bytes[] calldata signatures) private {
        requireQuorum(_hashTypedData(structHash), signatures);
        ++_quorumNonce;
    }

    /// @dev 65 bytes recover an account; longer ones are an ERC-1271 operator's address and its answer.
    function _signer(bytes32 digest, bytes calldata signature) private view returns (address signer) {
        if (signature.length == 65) {
            (signer,,) =
                ECDSA.tryRecover(digest, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64]));
        } else if (signature.length > 65) {
            signer = address(bytes20(signature[0:20]));
            if (!SignatureChecker.isValidERC1271SignatureNow(signer, digest, signature[20:])) return address(0);
        }
    }

    /// @dev The signatures of people in one operator's, without the address a contract account's begins with.
    function _people(bytes calldata signature) private pure returns (bytes calldata) {
        return signature.length == 65 ? signature : signature[20:];
    }

    function _enrol(Enrolment calldata e) private {
        if (e.member == address(0) || e.key == address(0) || e.organisation == 0) {
            revert Errors.Members_ZeroField(e.member);
        }
        if (e.roles == 0 || e.roles & ~Roles.ALL != 0) revert Errors.Members_UnknownRoles(e.roles);
        bool isObligor = e.roles & Roles.OBLIGOR != 0;
        if (!isObligor && (e.limit != 0 || e.payingBank != address(0))) revert Errors.Members_NotObligor(e.member);
        uint256 word = _words[e.member];
        if (word == 0) _takeKey(e.key, e.member);
        else if (word.key() != e.key) revert Errors.Members_KeyChangeNeedsRotation(e.member);
        address inOffice = _payingBanks[e.member];
        if (inOffice != address(0) && e.payingBank != inOffice) {
            revert Errors.Members_PayingBankNeedsConsent(e.member);
        }
        _exposures[e.member] = _exposures[e.member].withLimit(e.limit);
        _payingBanks[e.member] = e.payingBank;
        _set(e.member, Roles.pack(e.key, e.organisation, e.roles, word.standing()));
        emit Enrolled(e.member, e.key, e.organisation, e.roles, e.limit, e.payingBank, e.identity);
    }

    function _takeKey(address key, address member) private {
        if (_memberOfKey[key] != address(0)) revert Errors.Members_KeyTaken(key, _memberOfKey[key]);
        _memberOfKey[key] = member;
    }

    function _setOperators(address[] memory operators_, uint8 threshold_) private {
        uint256 size = operators_.length;
        if (threshold_ < 2 || size < threshold_ || size > MAX_OPERATORS) revert Errors.Members_BadOperators();
        for (uint256 i; i < size; ++i) {
            address operator = operators_[i];
            if (operator == address(0) || _isOperator[operator]) revert Errors.Members_BadOperators();
            _isOperator[operator] = true;
        }
        _operators = operators_;
        _threshold = threshold_;
        emit OperatorsSet(operators_, threshold_);
    }

    /// @dev Writes the word and pushes it to every connected contract; their number is bounded.
    function _set(address member, uint256 word) private {
        _words[member] = word;
        for (uint256 i; i < _targets.length; ++i) {
            IConnected(_targets[i]).setMember(member, word);
        }
    }

    function _known(address member) private view returns (uint256 word) {
        word = _words[member];
        if (word == 0) revert Errors.Members_UnknownMember(member);
    }

    function _obligor(address member) private view returns (uint256 word) {
        word = _known(member);
        if (!word.has(Roles.OBLIGOR)) revert Errors.Members_NotObligor(member);
    }

    function _hash(Enrolment calldata e) private pure returns (bytes32) {
        return keccak256(abi.encode(ENROLMENT_TYPEHASH, e));
    }

    function _domainName() internal pure override returns (string memory) {
        return "scf Members";
    }
}
