// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MemberMirror} from "./abstracts/MemberMirror.sol";
import {TypedDomain} from "./abstracts/TypedDomain.sol";
import {IEntrustedAccounts} from "./interfaces/IEntrustedAccounts.sol";
import {Errors} from "./libraries/Errors.sol";
import {Roles} from "./libraries/Roles.sol";

/// @title EntrustedAccounts: release of locked money by stage, evidence and two approvals.
/// @notice Mirrors a bank account and holds nothing. See `IEntrustedAccounts` for what each function means.
contract EntrustedAccounts is IEntrustedAccounts, MemberMirror {
    using Roles for uint256;

    struct Account {
        address payer; // slot 0: payer, currency, stages, locked
        uint16 currency;
        uint8 stages;
        bool isLocked;
        address beneficiary; // slot 1: beneficiary, amount
        uint64 amount;
        address bank; // slot 2
        uint64 released; // slot 3: sums
        uint64 refunded;
        address[] attestors;
        address[] approvers;
    }

    struct StageState {
        address payee; // slot 0: payee, deadline
        uint40 deadline;
        uint64 amount; // slot 1: what it is worth, what went out, what is held
        uint64 released;
        uint64 refunded;
        uint64 disputed;
        uint64 grantedRelease; // slot 2: decided after a dispute and not yet executed
        uint64 grantedRefund;
        uint64 deniedSupport; // supported value that decisions sent back
        bytes32 rule;
        bytes32 payeeAccount;
    }

    struct Payment {
        uint64 accountId; // one slot: which stage it was made for, and what of it has not come back
        uint64 amount;
        uint8 stage;
        bool isRefund;
    }

    uint8 private constant ATTESTS = 1;
    uint8 private constant APPROVES = 2;
    uint256 private constant MAX_STAGES = 16;
    uint256 private constant MAX_DUTIES = 8;

    bytes32 private constant STAGE_TYPEHASH =
        keccak256("Stage(address payee,bytes32 payeeAccount,uint64 amount,bytes32 rule,uint40 deadline)");
    bytes32 private constant OPENING_TYPEHASH = keccak256(
        "Opening(address payer,address beneficiary,address bank,uint16 currency,bytes32 account,bytes32 purpose,bytes32 consent,Stage[] stages,address[] attestors,address[] approvers,bytes32 salt,uint40 deadline)"
        "Stage(address payee,bytes32 payeeAccount,uint64 amount,bytes32 rule,uint40 deadline)"
    );
    bytes32 private constant CONFIRM_LOCKED_TYPEHASH =
        keccak256("ConfirmLocked(uint64 accountId,uint64 amount,bytes32 bankReference,uint40 deadline)");
    bytes32 private constant ATTEST_TYPEHASH =
        keccak256("Attest(uint64 accountId,uint8 stage,address attestor,uint64 upTo,bytes32 evidence,uint40 deadline)");
    bytes32 private constant APPROVE_TYPEHASH = keccak256(
        "Approve(uint64 accountId,uint8 stage,address approver,uint64 upTo,bytes32 decision,uint40 deadline)"
    );
    bytes32 private constant CONFIRM_RELEASED_TYPEHASH = keccak256(
        "ConfirmReleased(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,uint40 deadline)"
    );
    bytes32 private constant CONFIRM_REFUNDED_TYPEHASH = keccak256(
        "ConfirmRefunded(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,uint40 deadline)"
    );
    bytes32 private constant CONFIRM_RETURNED_TYPEHASH = keccak256(
        "ConfirmReturned(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,uint40 deadline)"
    );
    bytes32 private constant DISPUTE_TYPEHASH =
        keccak256("Dispute(uint64 accountId,uint8 stage,address by,uint64 amount,bytes32 reason,uint40 deadline)");
    bytes32 private constant RESOLVE_TYPEHASH = keccak256(
        "Resolve(uint64 accountId,uint8 stage,uint64 toRelease,uint64 toRefund,bytes32 reason,uint40 deadline)"
    );
    bytes32 private constant RESOLVE_BY_QUORUM_TYPEHASH = keccak256(
        "ResolveByQuorum(uint64 accountId,uint8 stage,uint64 toRelease,uint64 toRefund,bytes32 reason,uint256 nonce)"
    );

    // _words and _quorumNonce of MemberMirror come first
    mapping(uint64 accountId => Account) private _accounts;
    mapping(uint64 accountId => mapping(uint8 stage => StageState)) private _stages;
    mapping(uint64 accountId => mapping(address who => uint8)) private _duties;
    mapping(uint64 accountId => mapping(uint8 stage => mapping(address who => uint64))) private _upTo;
    mapping(bytes32 structHash => bool) private _usedActs;
    mapping(bytes32 bankAndReference => bool) private _usedReferences;
    mapping(bytes32 bankAndPayment => Payment) private _payments;
    uint64 private _count;

    constructor(address members_) MemberMirror(members_) TypedDomain("scf EntrustedAccounts") {}

    // ------------------------------------------------------------------ opening

    /// @inheritdoc IEntrustedAccounts
    function open(Opening calldata o, bytes calldata payerSignature, bytes calldata beneficiarySignature)
        external
        returns (uint64 accountId)
    {
        bytes32 structHash = _hashOpening(o);
        _useAct(structHash);
        _requireAct(_goodWord(o.payer, 0).key(), structHash, o.deadline, payerSignature);
        _requireAct(_goodWord(o.beneficiary, 0).key(), structHash, o.deadline, beneficiarySignature);
        _checkOpening(o);
        _requireOtherPeople(payerSignature, beneficiarySignature);
        accountId = ++_count;
        Account storage a = _accounts[accountId];
        a.payer = o.payer;
        a.beneficiary = o.beneficiary;
        a.bank = o.bank;
        a.currency = o.currency;
        a.stages = uint8(o.stages.length);
        a.amount = _total(o.stages);
        a.attestors = o.attestors;
        a.approvers = o.approvers;
        _emitOpened(accountId, o, a.amount);
        _writeStages(accountId, o.stages);
        _giveDuties(accountId, o.attestors, ATTESTS);
        _giveDuties(accountId, o.approvers, APPROVES);
    }

    /// @inheritdoc IEntrustedAccounts
    function confirmLocked(
        uint64 accountId,
        uint64 amount,
        bytes32 bankReference,
        uint40 deadline,
        bytes calldata bankSignature
    ) external {
        Account storage a = _accounts[accountId];
        address bank = a.bank;
        _requireAct(
            _goodWord(bank, Roles.BANK).key(),
            keccak256(abi.encode(CONFIRM_LOCKED_TYPEHASH, accountId, amount, bankReference, deadline)),
            deadline,
            bankSignature
        );
        if (a.isLocked) revert Errors.Entrusted_AlreadyLocked(accountId);
        if (amount != a.amount) revert Errors.Entrusted_WrongAmount(amount, a.amount);
        _useReference(bank, bankReference);
        a.isLocked = true;
        emit FundsLocked(accountId, amount, bankReference);
    }

    // ------------------------------------------------------------------ evidence and approval

    /// @inheritdoc IEntrustedAccounts
    function attest(
        uint64 accountId,
        uint8 stage,
        address attestor,
        uint64 upTo,
        bytes32 evidence,
        uint40 deadline,
        bytes calldata signature
    ) external {
        _requireAct(
            _goodWord(attestor, Roles.ATTESTOR).key(),
            keccak256(abi.encode(ATTEST_TYPEHASH, accountId, stage, attestor, upTo, evidence, deadline)),
            deadline,
            signature
        );
        _support(accountId, stage, attestor, upTo, ATTESTS);
        emit EvidenceAttested(accountId, stage, attestor, upTo, evidence);
    }

    /// @inheritdoc IEntrustedAccounts
    function approve(
        uint64 accountId,
        uint8 stage,
        address approver,
        uint64 upTo,
        bytes32 decision,
        uint40 deadline,
        bytes calldata signature
    ) external {
        _requireAct(
            _goodWord(approver, Roles.APPROVER).key(),
            keccak256(abi.encode(APPROVE_TYPEHASH, accountId, stage, approver, upTo, decision, deadline)),
            deadline,
            signature
        );
        _support(accountId, stage, approver, upTo, APPROVES);
        emit ReleaseApproved(accountId, stage, approver, upTo, decision);
    }

    /// @inheritdoc IEntrustedAccounts
    function confirmReleased(
        uint64 accountId,
        uint8 stage,
        uint64 amount,
        bytes32 paymentId,
        bytes32 bankReference,
        uint40 deadline,
        bytes calldata bankSignature
    ) external {
        _requireBank(
            accountId, CONFIRM_RELEASED_TYPEHASH, stage, amount, paymentId, bankReference, deadline, bankSignature
        );
        _usePayment(accountId, stage, amount, paymentId, false);
        StageState storage s = _lockedStage(accountId, stage);
        uint64 available = releasable(accountId, stage);
        if (amount == 0 || amount > available) revert Errors.Entrusted_TooMuch(amount, available);
        s.grantedRelease = amount < s.grantedRelease ? s.grantedRelease - amount : 0;
        s.released += amount;
        _accounts[accountId].released += amount;
        emit ReleaseExecuted(accountId, stage, amount, paymentId, bankReference);
    }

    /// @inheritdoc IEntrustedAccounts
    function confirmRefunded(
        uint64 accountId,
        uint8 stage,
        uint64 amount,
        bytes32 paymentId,
        bytes32 bankReference,
        uint40 deadline,
        bytes calldata bankSignature
    ) external {
        _requireBank(
            accountId, CONFIRM_REFUNDED_TYPEHASH, stage, amount, paymentId, bankReference, deadline, bankSignature
        );
        _usePayment(accountId, stage, amount, paymentId, true);
        StageState storage s = _lockedStage(accountId, stage);
        uint64 available = refundable(accountId, stage);
        if (amount == 0 || amount > available) revert Errors.Entrusted_TooMuch(amount, available);
        s.grantedRefund = amount < s.grantedRefund ? s.grantedRefund - amount : 0;
        s.refunded += amount;
        _accounts[accountId].refunded += amount;
        emit RefundExecuted(accountId, stage, amount, paymentId, bankReference);
    }

    /// @inheritdoc IEntrustedAccounts
    function confirmReturned(
        uint64 accountId,
        uint8 stage,
        uint64 amount,
        bytes32 paymentId,
        bytes32 bankReference,
        uint40 deadline,
        bytes calldata bankSignature
    ) external {
        _requireBank(
            accountId, CONFIRM_RETURNED_TYPEHASH, stage, amount, paymentId, bankReference, deadline, bankSignature
        );
        StageState storage s = _lockedStage(accountId, stage);
        Account storage a = _accounts[accountId];
        Payment storage p = _payments[keccak256(abi.encode(a.bank, paymentId))];
        if (p.accountId != accountId || p.stage != stage) revert Errors.Entrusted_UnknownPayment(paymentId);
        if (amount == 0 || amount > p.amount) revert Errors.Entrusted_TooMuch(amount, p.amount);
        p.amount -= amount;
        if (p.isRefund) {
            s.refunded -= amount;
            a.refunded -= amount;
            s.grantedRefund += amount; // what was owed back stays owed back
        } else {
            s.released -= amount;
            a.released -= amount;
            s.disputed += amount; // held until both sides, or the operators, say where it goes
        }
        emit PaymentReturned(accountId, stage, amount, paymentId, bankReference);
    }

    // ------------------------------------------------------------------ dispute

    /// @inheritdoc IEntrustedAccounts
    function dispute(
        uint64 accountId,
        uint8 stage,
        address by,
        uint64 amount,
        bytes32 reason,
        uint40 deadline,
        bytes calldata signature
    ) external {
        bytes32 structHash = keccak256(abi.encode(DISPUTE_TYPEHASH, accountId, stage, by, amount, reason, deadline));
        _useAct(structHash);
        _requireAct(_keyOf(by), structHash, deadline, signature);
        StageState storage s = _lockedStage(accountId, stage);
        Account storage a = _accounts[accountId];
        if (by != a.payer && by != a.beneficiary && by != s.payee) revert Errors.Entrusted_NotParty(by);
        uint64 free = _free(s);
        if (amount == 0 || amount > free) revert Errors.Entrusted_TooMuch(amount, free);
        s.disputed += amount;
        emit Disputed(accountId, stage, by, amount, reason);
    }

    /// @inheritdoc IEntrustedAccounts
    function resolve(
        uint64 accountId,
        uint8 stage,
        uint64 toRelease,
        uint64 toRefund,
        bytes32 reason,
        uint40 deadline,
        bytes calldata payerSignature,
        bytes calldata beneficiarySignature
    ) external {
        bytes32 structHash = keccak256(
            abi.encode(RESOLVE_TYPEHASH, accountId, stage, toRelease, toRefund, reason, deadline)
        );
        _useAct(structHash);
        _requireAct(_keyOf(_accounts[accountId].payer), structHash, deadline, payerSignature);
        _requireAct(_keyOf(_accounts[accountId].beneficiary), structHash, deadline, beneficiarySignature);
        _requireOtherPeople(payerSignature, beneficiarySignature);
        _resolve(accountId, stage, toRelease, toRefund, reason);
    }

    /// @inheritdoc IEntrustedAccounts
    function resolveByQuorum(
        uint64 accountId,
        uint8 stage,
        uint64 toRelease,
        uint64 toRefund,
        bytes32 reason,
        bytes[] calldata signatures
    ) external {
        _requireQuorum(
            keccak256(
                abi.encode(RESOLVE_BY_QUORUM_TYPEHASH, accountId, stage, toRelease, toRefund, reason, _quorumNonce++)
            ),
            signatures
        );
        _resolve(accountId, stage, toRelease, toRefund, reason);
    }

    // ------------------------------------------------------------------ pushed by Members

    /// @inheritdoc IEntrustedAccounts
    function setMember(address member, uint256 word) external {
        _requireFromMembers();
        _words[member] = word;
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IEntrustedAccounts
    function releasable(uint64 accountId, uint8 stage) public view returns (uint64) {
        if (!_accounts[accountId].isLocked) return 0;
        StageState storage s = _stages[accountId][stage];
        return s.grantedRelease + _supported(accountId, stage, s);
    }

    /// @inheritdoc IEntrustedAccounts
    function refundable(uint64 accountId, uint8 stage) public view returns (uint64) {
        if (!_accounts[accountId].isLocked) return 0;
        StageState storage s = _stages[accountId][stage];
        if (block.timestamp < s.deadline) return s.grantedRefund;
        return s.grantedRefund + _free(s) - _supported(accountId, stage, s);
    }

    /// @inheritdoc IEntrustedAccounts
    function stageOf(uint64 accountId, uint8 stage)
        external
        view
        returns (
            address payee,
            uint64 amount,
            uint64 released,
            uint64 refunded,
            uint64 disputed,
            uint40 deadline,
            bytes32 rule,
            bytes32 payeeAccount
        )
    {
        StageState storage s = _stages[accountId][stage];
        return (s.payee, s.amount, s.released, s.refunded, s.disputed, s.deadline, s.rule, s.payeeAccount);
    }

    /// @inheritdoc IEntrustedAccounts
    function grantedOf(uint64 accountId, uint8 stage) external view returns (uint64 toRelease, uint64 toRefund) {
        StageState storage s = _stages[accountId][stage];
        return (s.grantedRelease, s.grantedRefund);
    }

    /// @inheritdoc IEntrustedAccounts
    function accountOf(uint64 accountId)
        external
        view
        returns (
            address payer,
            address beneficiary,
            address bank,
            uint16 currency,
            uint8 stages,
            uint64 amount,
            uint64 locked,
            uint64 released,
            uint64 refunded
        )
    {
        Account storage a = _accounts[accountId];
        payer = a.payer;
        beneficiary = a.beneficiary;
        bank = a.bank;
        currency = a.currency;
        stages = a.stages;
        amount = a.amount;
        locked = a.isLocked ? a.amount : 0;
        released = a.released;
        refunded = a.refunded;
    }

    /// @inheritdoc IEntrustedAccounts
    function dutyOf(uint64 accountId, address who) external view returns (uint8) {
        return _duties[accountId][who];
    }

    /// @inheritdoc IEntrustedAccounts
    function upToOf(uint64 accountId, uint8 stage, address who) external view returns (uint64) {
        return _upTo[accountId][stage][who];
    }

    /// @inheritdoc IEntrustedAccounts
    function isPaymentUsed(address bank, bytes32 paymentId) external view returns (bool) {
        return _payments[keccak256(abi.encode(bank, paymentId))].accountId != 0;
    }

    /// @inheritdoc IEntrustedAccounts
    function isReferenceUsed(address bank, bytes32 bankReference) external view returns (bool) {
        return _usedReferences[keccak256(abi.encode(bank, bankReference))];
    }

    /// @inheritdoc IEntrustedAccounts
    function accountCount() external view returns (uint64) {
        return _count;
    }

    /// @inheritdoc IEntrustedAccounts
    function quorumNonce() external view returns (uint256) {
        return _quorumNonce;
    }

    // ------------------------------------------------------------------ inside: opening

    function _emitOpened(uint64 accountId, Opening calldata o, uint64 amount) private {
        emit Opened(accountId, o.payer, o.beneficiary, o.bank, o.currency, amount, o.account, o.purpose, o.consent);
    }

    function _checkOpening(Opening calldata o) private view {
        uint256 count = o.stages.length;
        if (count == 0 || count > MAX_STAGES || o.payer == o.beneficiary || o.currency == 0) {
            revert Errors.Entrusted_BadOpening();
        }
        uint32 beneficiary = _words[o.beneficiary].organisation();
        if (_goodWord(o.bank, Roles.BANK).organisation() == beneficiary) {
            revert Errors.Entrusted_NotIndependent(o.bank);
        }
        if (_words[o.payer].organisation() == beneficiary) revert Errors.Entrusted_NotIndependent(o.payer);
        for (uint256 i; i < count; ++i) {
            Stage calldata s = o.stages[i];
            if (s.amount == 0 || s.deadline <= block.timestamp) revert Errors.Entrusted_BadOpening();
            _goodWord(s.payee, 0);
        }
        _checkDuties(o, o.attestors, Roles.ATTESTOR, beneficiary);
        _checkDuties(o, o.approvers, Roles.APPROVER, beneficiary);
        // Evidence must come from two houses; two attestors of one house are one source.
        uint32 first = _words[o.attestors[0]].organisation();
        bool isDiverse;
        for (uint256 i = 1; i < o.attestors.length; ++i) {
            if (_words[o.attestors[i]].organisation() != first) isDiverse = true;
        }
        if (!isDiverse) revert Errors.Entrusted_NotIndependent(o.attestors[1]);
    }

    function _checkDuties(Opening calldata o, address[] calldata who, uint32 role, uint32 beneficiary) private view {
        if (who.length < 2 || who.length > MAX_DUTIES) revert Errors.Entrusted_BadOpening();
        for (uint256 i; i < who.length; ++i) {
            uint32 organisation = _goodWord(who[i], role).organisation();
            if (organisation == beneficiary) revert Errors.Entrusted_NotIndependent(who[i]);
            for (uint256 j; j < o.stages.length; ++j) {
                if (_words[o.stages[j].payee].organisation() == organisation) {
                    revert Errors.Entrusted_NotIndependent(who[i]);
                }
            }
        }
    }

    /// @dev Nobody has two duties, nor one of them twice.
    function _giveDuties(uint64 accountId, address[] calldata who, uint8 duty) private {
        for (uint256 i; i < who.length; ++i) {
            if (_duties[accountId][who[i]] != 0) revert Errors.Entrusted_NotIndependent(who[i]);
            _duties[accountId][who[i]] = duty;
            emit DutyGiven(accountId, who[i], duty);
        }
    }

    function _writeStages(uint64 accountId, Stage[] calldata stages) private {
        for (uint8 i; i < stages.length; ++i) {
            Stage calldata from = stages[i];
            StageState storage s = _stages[accountId][i];
            s.payee = from.payee;
            s.deadline = from.deadline;
            s.amount = from.amount;
            s.rule = from.rule;
            s.payeeAccount = from.payeeAccount;
            emit StageSet(accountId, i, from.payee, from.payeeAccount, from.amount, from.rule, from.deadline);
        }
    }

    /// @dev Reverts when the sum does not fit 64 bits.
    function _total(Stage[] calldata stages) private pure returns (uint64 sum) {
        for (uint256 i; i < stages.length; ++i) {
            sum += stages[i].amount;
        }
    }

    function _hashOpening(Opening calldata o) private pure returns (bytes32) {
        bytes32[] memory stages = new bytes32[](o.stages.length);
        for (uint256 i; i < o.stages.length; ++i) {
            stages[i] = keccak256(abi.encode(STAGE_TYPEHASH, o.stages[i]));
        }
        return keccak256(
            bytes.concat(
                abi.encode(OPENING_TYPEHASH, o.payer, o.beneficiary, o.bank, o.currency, o.account),
                abi.encode(o.purpose, o.consent, keccak256(abi.encodePacked(stages))),
                abi.encode(
                    keccak256(abi.encodePacked(o.attestors)),
                    keccak256(abi.encodePacked(o.approvers)),
                    o.salt,
                    o.deadline
                )
            )
        );
    }

    // ------------------------------------------------------------------ inside: value

    /// @dev One cumulative statement; it only grows, so that an older signature changes nothing.
    function _support(uint64 accountId, uint8 stage, address who, uint64 upTo, uint8 duty) private {
        StageState storage s = _lockedStage(accountId, stage);
        if (_duties[accountId][who] != duty) revert Errors.Entrusted_NoDuty(accountId, who);
        uint32 organisation = _words[who].organisation();
        if (
            organisation == _words[_accounts[accountId].beneficiary].organisation()
                || organisation == _words[s.payee].organisation()
        ) revert Errors.Entrusted_NotIndependent(who);
        if (block.timestamp >= s.deadline) revert Errors.Entrusted_StageOver(accountId, stage);
        if (upTo > s.amount) revert Errors.Entrusted_TooMuch(upTo, s.amount);
        uint64 before = _upTo[accountId][stage][who];
        if (upTo <= before) revert Errors.Entrusted_NotMore(upTo, before);
        _upTo[accountId][stage][who] = upTo;
    }

    /// @dev Neither gone nor held nor decided.
    function _free(StageState storage s) private view returns (uint64) {
        return s.amount - s.released - s.refunded - s.disputed - s.grantedRelease - s.grantedRefund;
    }

    /// @dev What evidence of two houses and two approvals still let go, beside what a decision granted. A dispute
    /// holds supported value first.
    function _supported(uint64 accountId, uint8 stage, StageState storage s) private view returns (uint64) {
        Account storage a = _accounts[accountId];
        uint64 evidence = _second(accountId, stage, a.attestors, true);
        uint64 approval = _second(accountId, stage, a.approvers, false);
        uint64 upTo = evidence < approval ? evidence : approval;
        uint64 gone = s.released + s.grantedRelease + s.disputed + s.deniedSupport;
        if (upTo <= gone) return 0;
        uint64 free = _free(s);
        return upTo - gone < free ? upTo - gone : free;
    }

    /// @dev The second highest statement of the people in good standing; of different organisations where asked.
    function _second(uint64 accountId, uint8 stage, address[] storage who, bool byOrganisation)
        private
        view
        returns (uint64 second)
    {
        uint64 highest;
        uint32 house;
        for (uint256 i; i < who.length; ++i) {
            uint256 word = _words[who[i]];
            uint64 upTo = _upTo[accountId][stage][who[i]];
            if (upTo == 0 || !word.isGood()) continue;
            uint32 organisation = word.organisation();
            bool isSameHouse = byOrganisation && organisation == house;
            if (upTo > highest) {
                if (!isSameHouse) (second, house) = (highest, organisation);
                highest = upTo;
            } else if (!isSameHouse && upTo > second) {
                second = upTo;
            }
        }
    }

    function _resolve(uint64 accountId, uint8 stage, uint64 toRelease, uint64 toRefund, bytes32 reason) private {
        StageState storage s = _lockedStage(accountId, stage);
        uint256 sum = uint256(toRelease) + toRefund;
        if (sum == 0 || sum > s.disputed) {
            revert Errors.Entrusted_TooMuch(sum > type(uint64).max ? type(uint64).max : uint64(sum), s.disputed);
        }
        // What was held is free for a moment: supported value goes to the release first, and what of it the decision
        // sends back supports no other part of the stage.
        s.disputed -= uint64(sum);
        s.grantedRelease += toRelease;
        uint64 supported = _supported(accountId, stage, s);
        s.deniedSupport += toRefund < supported ? toRefund : supported;
        s.grantedRefund += toRefund;
        emit DisputeResolved(accountId, stage, toRelease, toRefund, reason);
    }

    // ------------------------------------------------------------------ inside: bank and single use

    function _requireBank(
        uint64 accountId,
        bytes32 typeHash,
        uint8 stage,
        uint64 amount,
        bytes32 paymentId,
        bytes32 bankReference,
        uint40 deadline,
        bytes calldata signature
    ) private {
        address bank = _accounts[accountId].bank;
        bytes32 structHash =
            keccak256(abi.encode(typeHash, accountId, stage, amount, paymentId, bankReference, deadline));
        _requireAct(_goodWord(bank, Roles.BANK).key(), structHash, deadline, signature);
        _useReference(bank, bankReference);
    }

    function _usePayment(uint64 accountId, uint8 stage, uint64 amount, bytes32 paymentId, bool isRefund) private {
        bytes32 key = keccak256(abi.encode(_accounts[accountId].bank, paymentId));
        if (_payments[key].accountId != 0) revert Errors.AlreadyUsed(paymentId);
        _payments[key] = Payment(accountId, amount, stage, isRefund);
    }

    function _useReference(address bank, bytes32 bankReference) private {
        bytes32 key = keccak256(abi.encode(bank, bankReference));
        if (_usedReferences[key]) revert Errors.AlreadyUsed(bankReference);
        _usedReferences[key] = true;
    }

    function _useAct(bytes32 structHash) private {
        if (_usedActs[structHash]) revert Errors.AlreadyUsed(structHash);
        _usedActs[structHash] = true;
    }

    function _lockedStage(uint64 accountId, uint8 stage) private view returns (StageState storage s) {
        if (!_accounts[accountId].isLocked) revert Errors.Entrusted_NotLocked(accountId);
        if (stage >= _accounts[accountId].stages) revert Errors.Entrusted_UnknownStage(accountId, stage);
        return _stages[accountId][stage];
    }

    function _domainName() internal pure override returns (string memory) {
        return "scf EntrustedAccounts";
    }
}
