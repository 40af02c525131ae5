// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MemberMirror} from "./abstracts/MemberMirror.sol";
import {TypedDomain} from "./abstracts/TypedDomain.sol";
import {IMembers} from "./interfaces/IMembers.sol";
import {IReceivables} from "./interfaces/IReceivables.sol";
import {Errors} from "./libraries/Errors.sol";
import {Intents} from "./libraries/Intents.sol";
import {Notes} from "./libraries/Notes.sol";
import {Roles} from "./libraries/Roles.sol";
import {Shares} from "./libraries/Shares.sol";
import {SumTree} from "./libraries/SumTree.sol";
import {Terms} from "./libraries/Terms.sol";

/// @title Receivables: debts that can be split to the cent and passed down tier by tier.
/// @notice No callbacks, no approvals, no upgrade, no money. See `IReceivables` for what each function means.
contract Receivables is IReceivables, MemberMirror {
    using Notes for uint256;
    using Roles for uint256;
    using Terms for uint256;

    struct Receivable {
        uint256 terms; // library Terms, first word
        uint256 sums; // library Terms, second word
    }

    struct Round {
        uint256 pot; // principal 64 | interest 64 | base 64 | base not yet settled 64
        uint256 left; // principal left 64 | interest left 64 | principal cut 64 | interest cut 64
        uint256 principalCutNote;
        uint256 interestCutNote;
    }

    /// @dev A round while notes are settled in it; lives in memory.
    struct Tally {
        uint256 number;
        uint256 principal;
        uint256 interest;
        uint256 base;
        uint256 baseLeft;
        uint256 principalLeft;
        uint256 interestLeft;
        uint256 principalCut;
        uint256 interestCut;
        uint256 principalCutNote;
        uint256 interestCutNote;
    }

    uint256 private constant HOUR = 1 hours;
    uint256 private constant MAX_CHILDREN = type(uint16).max;
    uint256 private constant ANY_INDEX = type(uint256).max;
    uint256 private constant ONE_CHILD = 1 << 224; // in a note's word
    uint8 private constant REFUSED = 1;
    uint8 private constant WITHDRAWN = 2;
    uint8 private constant LAPSED = 3;

    // _words and _quorumNonce of MemberMirror come first
    mapping(uint256 noteId => uint256) private _notes;
    mapping(uint256 receivableId => Receivable) private _receivables;
    mapping(bytes32 fingerprint => uint256) private _registered; // receivable 64 | deadline of its signature 40
    mapping(bytes32 quoteHash => bool) private _usedQuotes;
    mapping(bytes32 bankAndReference => bool) private _usedReferences;
    mapping(uint256 noteId => uint256) private _locks; // paying bank 160 | net 64
    mapping(uint256 massId => uint256) private _commitments; // hash of the root 224 | count 32
    mapping(uint256 receivableIdAndRound => Round) private _rounds;
    mapping(uint256 noteId => uint256) private _settledRounds; // written in partial rounds alone
    mapping(uint256 noteId => uint256) private _movedFrom; // written for MOVED notes alone
    uint64 private _count;

    constructor(address members_) MemberMirror(members_) TypedDomain("scf Receivables") {}

    // ------------------------------------------------------------------ issue, accept, return

    /// @inheritdoc IReceivables
    function issue(Issue calldata i, bytes calldata signature) external returns (uint256 noteId) {
        uint256 word = _goodWord(i.obligor, Roles.OBLIGOR);
        _requireAct(word.key(), Intents.issue(i), i.deadline, signature);
        if (word.isHalted()) revert Errors.Receivables_ObligorHalted(i.obligor);
        _goodWord(i.creditor, 0);
        if (
            i.creditor == i.obligor || i.face == 0 || i.minAmount > i.face || i.maturity <= block.timestamp
                || i.maturity > Terms.MAX_MATURITY || i.maxTier == 0 || i.maxTier > 250 || i.currency == 0
                || i.fingerprint == 0
        ) revert Errors.Receivables_BadTerms();
        uint256 terms = Terms.pack(i.obligor, i.maturity, i.minAmount, block.timestamp / HOUR, i.maxTier, i.currency);
        _tell(IMembers.Counted.Owed, i.obligor, terms, i.face);
        uint256 receivableId = ++_count;
        _register(i.fingerprint, receivableId, i.deadline);
        _receivables[receivableId] = Receivable(terms, Terms.packSums(i.face, i.face, 0, i.minAmount, 0));
        noteId = Notes.id(receivableId, 0, 0, i.document);
        _notes[noteId] = Notes.pack(i.creditor, i.face, _offerHours(terms, i.offerUntil), 1, Notes.OFFERED);
        _emitIssued(i, receivableId, noteId);
    }

    /// @inheritdoc IReceivables
    function accept(uint256 noteId, uint40 deadline, bytes calldata signature) external {
        uint256 note = _known(noteId);
        _requireAct(_keyOf(note.holder()), Intents.accept(noteId, deadline), deadline, signature);
        _goodWord(note.holder(), 0);
        _acceptOffer(noteId, note);
    }

    /// @inheritdoc IReceivables
    function acceptMany(uint256[] calldata noteIds, uint40 deadline, bytes calldata signature) external {
        if (noteIds.length == 0) _refuseLength();
        address holder = _known(noteIds[0]).holder();
        _requireAct(_keyOf(holder), Intents.acceptMany(noteIds, deadline), deadline, signature);
        _goodWord(holder, 0);
        for (uint256 i; i < noteIds.length; ++i) {
            uint256 note = _known(noteIds[i]);
            if (note.holder() != holder) _refuseHolder(noteIds[i]);
            _acceptOffer(noteIds[i], note);
        }
    }

    /// @inheritdoc IReceivables
    function refuse(
        uint64 receivableId,
        uint256 parentId,
        uint256 childIndex,
        bytes32 evidence,
        bytes32 reason,
        uint40 deadline,
        bytes calldata signature
    ) external {
        uint256 noteId = Notes.id(receivableId, parentId, childIndex, evidence);
        uint256 note = _known(noteId);
        if (note.flags() & Notes.OFFERED == 0) _refuseUnoffered(noteId);
        _requireAct(_keyOf(note.holder()), Intents.refuse(noteId, reason, deadline), deadline, signature);
        _giveBack(receivableId, parentId, noteId, note, REFUSED, reason);
    }

    /// @inheritdoc IReceivables
    function withdraw(
        uint64 receivableId,
        uint256 parentId,
        uint256 childIndex,
        bytes32 evidence,
        uint40 deadline,
        bytes calldata signature
    ) external {
        uint256 noteId = Notes.id(receivableId, parentId, childIndex, evidence);
        uint256 note = _known(noteId);
        if (note.flags() & (Notes.OFFERED | Notes.LOCKED) != Notes.OFFERED) {
            _refuseUnoffered(noteId);
        }
        address giver = parentId == 0 ? _receivables[receivableId].terms.obligor() : _notes[parentId].holder();
        _requireAct(_keyOf(giver), Intents.withdraw(noteId, deadline), deadline, signature);
        _giveBack(receivableId, parentId, noteId, note, WITHDRAWN, 0);
    }

    /// @inheritdoc IReceivables
    function lapse(uint64 receivableId, uint256 parentId, uint256 childIndex, bytes32 evidence) external {
        uint256 noteId = Notes.id(receivableId, parentId, childIndex, evidence);
        uint256 note = _known(noteId);
        if (note.flags() & Notes.PENDING == 0) _refuseUnoffered(noteId);
        _requireOver(noteId, note, _receivables[receivableId].terms);
        _giveBack(receivableId, parentId, noteId, note, LAPSED, 0);
    }

    // ------------------------------------------------------------------ pass

    /// @inheritdoc IReceivables
    /// @dev The path everybody takes, so it looks at all conditions at once; where one fails, the slow functions say
    /// which. Fields are read as they were sent: a word too wide for its field cannot do harm, because the index must
    /// equal the note's, an amount or time too large is refused, and a recipient of more than 160 bits is no member.
    function pass(Pass calldata p, bytes calldata signature) external returns (uint256 noteId) {
        uint256 parent;
        uint256 slot;
        uint256 word;
        assembly ("memory-safe") {
            mstore(0x00, calldataload(p))
            mstore(0x20, _notes.slot)
            slot := keccak256(0x00, 0x40)
            parent := sload(slot)
            mstore(0x00, shr(96, shl(96, parent)))
            mstore(0x20, _words.slot)
            word := sload(keccak256(0x00, 0x40))
        }
        uint256 terms;
        uint256 failed;
        if (signature.length != 0) {
            _requireSignature(address(uint160(word)), Intents.pass(p), signature);
        } else {
            assembly ("memory-safe") {
                failed := shl(96, xor(word, caller()))
            }
            if (failed != 0) revert Errors.NotAuthorised(address(uint160(word)));
        }
        assembly ("memory-safe") {
            mstore(0x00, shr(192, calldataload(p)))
            mstore(0x20, _receivables.slot)
            terms := sload(keccak256(0x00, 0x40))
            mstore(0x00, shr(96, shl(96, terms)))
            mstore(0x20, _words.slot)
            failed := and(byte(3, sload(keccak256(0x00, 0x40))), 4) // obligor HALTED
            failed := or(failed, and(byte(3, word), 3)) // holder SUSPENDED, BLACKLISTED
            failed := or(failed, and(byte(0, parent), 55)) // PENDING, FROZEN, FINANCED: counted
            failed := or(failed, xor(and(shr(224, parent), 0xffff), calldataload(add(p, 0x20)))) // childIndex
            failed := or(failed, xor(byte(2, terms), 2)) // OPEN
            failed := or(failed, gt(timestamp(), calldataload(add(p, 0xc0)))) // deadline
        }
        if (failed != 0) {
            _requireInTime(p.deadline);
            parent = _spendableAfterAll(p.parentId, parent, word, p.childIndex, terms);
            if (parent.flags() & Notes.FINANCED != 0) {
                // what was bought counts for its buyer until another house has it
                if (_words[p.to].organisation() == word.organisation()) _refuseDependent(p.to);
                _requireAmount(p.parentId, parent, terms, p.amount);
                _countSold(p.parentId, parent, p.amount);
            }
        }
        uint256 offer;
        assembly ("memory-safe") {
            word := calldataload(add(p, 0x40)) // to
            failed := calldataload(add(p, 0x60)) // amount
            // as in _offer
            let until := calldataload(add(p, 0xa0))
            offer := sub(div(until, 3600), and(shr(200, terms), 0xffffff))
            let late := or(gt(offer, 0xffff), mod(until, 3600))
            late := or(late, or(gt(until, and(shr(160, terms), 0xffffffff)), iszero(gt(until, timestamp()))))
            offer := mul(iszero(late), or(shl(224, or(offer, 0x1000000)), until))
        }
        if (offer == 0) _refuseOffer(terms, p.offerUntil);
        noteId = _passOne(p.evidence, p.parentId, parent, terms, word, failed, offer);
        assembly ("memory-safe") {
            sstore(slot, add(sub(parent, shl(160, failed)), shl(224, 1)))
        }
    }

    /// @inheritdoc IReceivables
    function passMany(PassMany calldata p, bytes calldata signature) external {
        (uint256 parent, uint256 terms) = _startMany(p, signature);
        uint256 offer = _offer(terms, p.offerUntil);
        for (uint256 i; i < p.to.length; ++i) {
            uint256 amount = p.amounts[i];
            _passOne(p.evidence[i], p.parentId, parent, terms, uint160(p.to[i]), amount, offer);
            unchecked {
                parent = parent - (amount << 160) + ONE_CHILD;
            }
        }
        _notes[p.parentId] = parent;
    }

    /// @inheritdoc IReceivables
    function passMass(MassPass calldata p, bytes calldata signature) external returns (uint256 massId) {
        uint256 parentId = p.parentId;
        uint256 parent = _notes[parentId];
        uint256 word = _words[parent.holder()];
        _requireAct(word.key(), Intents.massPass(p), p.deadline, signature);
        uint256 terms;
        (parent, terms) = _spendableToMany(parentId, parent, word, p.childIndex);
        uint256 sum = uint64(p.root);
        if (p.count == 0 || p.count > SumTree.MAX_LEAVES) revert Errors.Receivables_BadTree();
        _requireAmount(parentId, parent, terms, sum);
        if (parent.tier() >= terms.maxTier()) _refuseDepth(parentId);
        massId = Notes.id(parentId >> 192, parentId, p.childIndex, p.evidence);
        _put(massId, Notes.pack(parent.holder(), sum, _offerHours(terms, p.offerUntil), parent.tier() + 1, Notes.MASS));
        _commitments[massId] = _commitment(p.root, p.count);
        _notes[parentId] = parent.spend(sum);
        emit MassPassed(parentId, massId, p.childIndex, p.root, p.count, p.evidence, p.offerUntil);
    }

    /// @inheritdoc IReceivables
    function materialise(
        uint256 massId,
        uint32 leaf,
        address to,
        uint64 amount,
        uint256[] calldata proof,
        uint40 deadline,
        bytes calldata signature
    ) external returns (uint256 noteId) {
        _requireAct(
            _goodWord(to, 0).key(), Intents.materialise(massId, leaf, to, amount, deadline), deadline, signature
        );
        noteId = Notes.id(massId >> 192, massId, leaf, _leafEvidence(massId, leaf, to, amount, proof));
        _claim(massId, noteId, to, amount);
        emit Materialised(massId, noteId, to, leaf, amount);
    }

    // ------------------------------------------------------------------ financing

    /// @inheritdoc IReceivables
    function finance(
        Quote calldata quote,
        bytes calldata financierSignature,
        bytes32 reading,
        uint40 deadline,
        bytes calldata holderSignature
    ) external returns (uint256 noteId) {
        bytes32 quoteHash = Intents.quote(quote);
        _useQuote(quoteHash, quote.expiry);
        uint256 parent = _known(quote.parentId);
        uint256 word = _words[parent.holder()];
        _requireAct(word.key(), Intents.financeAccept(quoteHash, reading, deadline), deadline, holderSignature);
        _requireAct(_keyOf(quote.financier), quoteHash, quote.expiry, financierSignature);
        _checkQuote(quote, word);
        return _lock(quote, quoteHash, reading, parent, word);
    }

    /// @inheritdoc IReceivables
    function completeFinancing(
        uint256 noteId,
        uint64 net,
        bytes32 registration,
        bytes32 bankReference,
        uint40 deadline,
        bytes calldata bankSignature
    ) external {
        if (_notes[noteId].flags() & Notes.LOCKED == 0) _refuseUnoffered(noteId);
        address bank = address(uint160(_locks[noteId]));
        _requireAct(
            _goodWord(bank, Roles.BANK).key(),
            Intents.completeFinancing(noteId, net, registration, bankReference, deadline),
            deadline,
            bankSignature
        );
        if (registration == 0) revert Errors.Receivables_MissingRegistration();
        _useReference(bank, bankReference);
        _complete(noteId, net);
        emit FinancingCompleted(noteId, net, registration, bankReference);
    }

    // ------------------------------------------------------------------ payment

    /// @inheritdoc IReceivables
    function recordPayment(Payment calldata p, bytes calldata bankSignature) external {
        Receivable storage r = _receivables[p.receivableId];
        uint256 terms = r.terms;
        uint256 sums = r.sums;
        address obligor = terms.obligor();
        address bank = _requirePayingBank(obligor, p, bankSignature);
        if (terms.status() != Terms.OPEN) {
            _refuseStatus(p.receivableId, terms);
        }
        if (p.round != sums.rounds() || p.round == type(uint16).max) _refuseRound(p.receivableId, p.round);
        uint256 outstanding = sums.outstanding();
        if (p.principal > outstanding || (p.principal == 0 && p.interest == 0)) revert Errors.Receivables_BadPayment();
        if ((p.principal < outstanding || p.interest != 0) && block.timestamp < terms.maturity()) {
            revert Errors.Receivables_NotMatured(p.receivableId);
        }
        _useReference(bank, p.bankReference);
        _openRound(p, outstanding);
        outstanding -= p.principal;
        r.sums =
            Terms.packSums(sums.face(), outstanding, sums.paid() + p.principal, sums.smallest(), uint256(p.round) + 1);
        _tell(
            outstanding == 0 && terms.isReported() ? IMembers.Counted.PaidReported : IMembers.Counted.Paid,
            obligor,
            terms,
            p.principal
        );
        emit PaymentRecorded(
            p.receivableId, p.round, bank, p.principal, p.interest, uint64(outstanding), p.bankReference
        );
        if (outstanding == 0) {
            r.terms = terms.withStatus(Terms.CLOSED);
            emit Closed(p.receivableId);
        }
    }

    /// @inheritdoc IReceivables
    function settleMany(uint64 receivableId, uint16 round, uint256[] calldata noteIds) external {
        Tally memory t = _openTally(receivableId, round);
        // The usual case: the one payment of the whole debt, without interest, so every note gets its amount.
        uint256 plainLeft = round == 0 && t.principal == t.base && t.interest == 0 ? t.principalLeft : 0;
        bytes32 topic = Settled.selector;
        uint256 sum;
        for (uint256 i; i < noteIds.length; ++i) {
            uint256 noteId = noteIds[i];
            if (noteId >> 192 != receivableId) revert Errors.Receivables_OtherReceivable(noteId);
            uint256 note;
            assembly ("memory-safe") {
                mstore(0x00, noteId)
                mstore(0x20, _notes.slot)
                let slot := keccak256(0x00, 0x40)
                note := sload(slot)
                let amount := and(shr(160, note), 0xffffffffffffffff)
                // no children, neither PENDING nor FROZEN nor FINANCED nor LEAF, and something to pay
                if iszero(or(or(and(byte(0, note), 183), and(shr(224, note), 0xffff)), iszero(amount))) {
                    if iszero(gt(amount, sub(plainLeft, sum))) {
                        sum := add(sum, amount)
                        sstore(slot, 0)
                        mstore(0x00, amount)
                        mstore(0x20, 0)
                        log4(0x00, 0x40, topic, noteId, shr(96, shl(96, note)), 0)
                        note := 0
                    }
                }
            }
            if (note == 0) continue;
            if (note.flags() & Notes.PENDING != 0) _refuseMove(noteId, note.flags());
            plainLeft = _settleBetween(t, noteId, note, plainLeft, sum);
            sum = 0;
        }
        t.principalLeft -= sum;
        t.baseLeft -= sum;
        _closeTally(receivableId, t);
    }

    /// @inheritdoc IReceivables
    function settleOffered(uint64 receivableId, uint16 round, uint256 parentId, uint256 childIndex, bytes32 evidence)
        external
    {
        uint256 noteId = Notes.id(receivableId, parentId, childIndex, evidence);
        uint256 note = _known(noteId);
        uint256 flags = note.flags();
        if (flags & Notes.PENDING == 0) _refuseUnoffered(noteId);
        uint256 terms = _receivables[receivableId].terms;
        // A plain offer ends with the payment. A lock or a mass pass keeps its time: the financier may have paid
        // already, and the recipients of a mass pass have a right to their proof.
        if (flags & (Notes.LOCKED | Notes.MASS) != 0 || terms.status() != Terms.CLOSED) {
            _requireOver(noteId, note, terms);
        }
        Tally memory t = _openTally(receivableId, round);
        _settle(t, noteId, note, _notes[parentId].holder());
        _closeTally(receivableId, t);
    }

    // ------------------------------------------------------------------ court orders

    /// @inheritdoc IReceivables
    function setFrozenTokens(uint256 noteId, bool frozenStatus, bytes32 reason, bytes[] calldata signatures) external {
        _requireQuorum(Intents.setFrozen(noteId, frozenStatus, reason, _quorumNonce++), signatures);
        uint256 note = _known(noteId);
        _notes[noteId] = frozenStatus ? note | (Notes.FROZEN << 248) : note & ~(Notes.FROZEN << 248);
        emit Frozen(note.holder(), noteId, frozenStatus, reason);
    }

    /// @inheritdoc IReceivables
    function forcedTransfer(uint256 noteId, address to, bytes32 reason, bytes[] calldata signatures)
        external
        returns (uint256 childId)
    {
        _requireQuorum(Intents.forcedTransfer(noteId, to, reason, _quorumNonce++), signatures);
        uint256 note = _known(noteId);
        if (note.flags() & Notes.PENDING != 0) _refuseMove(noteId, note.flags());
        if (to == note.holder()) _refuseHolder(noteId);
        if (note.amount() == 0) _refuseEmpty(noteId);
        _goodWord(to, 0);
        _requireRoom(noteId, note);
        uint256 childIndex = note.children();
        childId = Notes.id(noteId >> 192, noteId, childIndex, reason);
        uint256 flags;
        if (_receivables[noteId >> 192].sums.rounds() != 0) {
            flags = Notes.MOVED;
            _settledRounds[childId] = _settledRounds[noteId];
            _movedFrom[childId] = note.flags() & Notes.MOVED != 0 ? _movedFrom[noteId] : noteId;
        }
        _put(childId, Notes.pack(to, note.amount(), 0, note.tier() + 1, flags));
        _notes[noteId] = note.spend(note.amount());
        _countSold(noteId, note, note.amount());
        emit ForcedTransfer(note.holder(), to, noteId, childId, reason);
    }

    // ------------------------------------------------------------------ pushed by Members

    /// @inheritdoc IReceivables
    function setMember(address member, uint256 word) external {
        _requireFromMembers();
        _words[member] = word;
    }

    /// @inheritdoc IReceivables
    function flagOverdue(uint64 receivableId) external returns (address obligor) {
        _requireFromMembers();
        uint256 terms = _receivables[receivableId].terms;
        if (!isOverdue(receivableId) || terms.isReported()) revert Errors.Receivables_NotOverdue(receivableId);
        _receivables[receivableId].terms = terms.withStatus(Terms.OPEN | Terms.REPORTED);
        obligor = terms.obligor();
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IReceivables
    function ownerOf(uint256 noteId) external view returns (address) {
        return _notes[noteId].holder();
    }

    /// @inheritdoc IReceivables
    function slotOf(uint256 noteId) external pure returns (uint256) {
        return noteId >> 192;
    }

    /// @inheritdoc IReceivables
    function balanceOf(uint256 noteId) external view returns (uint256) {
        return _notes[noteId].amount();
    }

    /// @inheritdoc IReceivables
    function valueDecimals() external pure returns (uint8) {
        return 2;
    }

    /// @inheritdoc IReceivables
    function noteOf(uint256 noteId)
        external
        view
        returns (address holder, uint64 amount, uint16 children, uint8 tier, uint8 flags)
    {
        uint256 note = _notes[noteId];
        return (note.holder(), uint64(note.amount()), uint16(note.children()), uint8(note.tier()), uint8(note.flags()));
    }

    /// @inheritdoc IReceivables
    function termsOf(uint64 receivableId)
        external
        view
        returns (
            address obligor,
            uint40 maturity,
            uint8 maxTier,
            uint8 status,
            uint16 currency,
            uint64 face,
            uint64 outstanding,
            uint64 paid,
            uint48 minAmount,
            uint16 rounds
        )
    {
        uint256 terms = _receivables[receivableId].terms;
        uint256 sums = _receivables[receivableId].sums;
        obligor = terms.obligor();
        maturity = uint40(terms.maturity());
        maxTier = uint8(terms.maxTier());
        status = uint8(terms.status());
        currency = terms.currency();
        face = uint64(sums.face());
        outstanding = uint64(sums.outstanding());
        paid = uint64(sums.paid());
        minAmount = uint48(sums.smallest());
        rounds = uint16(sums.rounds());
    }

    /// @inheritdoc IReceivables
    function noteIdOf(uint64 receivableId, uint256 parentId, uint256 childIndex, bytes32 evidence)
        external
        pure
        returns (uint256)
    {
        return Notes.id(receivableId, parentId, childIndex, evidence);
    }

    /// @inheritdoc IReceivables
    function receivableOf(bytes32 fingerprint) external view returns (uint64 receivableId) {
        receivableId = uint64(_registered[fingerprint]);
        if (_receivables[receivableId].terms.status() == Terms.CANCELLED) return 0;
    }

    /// @inheritdoc IReceivables
    function isOverdue(uint64 receivableId) public view returns (bool) {
        uint256 terms = _receivables[receivableId].terms;
        return terms.status() == Terms.OPEN && block.timestamp > terms.maturity();
    }

    /// @inheritdoc IReceivables
    function roundOf(uint64 receivableId, uint16 round)
        external
        view
        returns (
            uint64 principal,
            uint64 interest,
            uint64 base,
            uint64 baseLeft,
            uint64 principalLeft,
            uint64 interestLeft
        )
    {
        Round storage r = _rounds[_roundKey(receivableId, round)];
        (uint256 pot, uint256 left) = (r.pot, r.left);
        return
            (uint64(pot), uint64(pot >> 64), uint64(pot >> 128), uint64(pot >> 192), uint64(left), uint64(left >> 64));
    }

    /// @inheritdoc IReceivables
    function settledRoundsOf(uint256 noteId) external view returns (uint256) {
        return _settledRounds[noteId];
    }

    /// @inheritdoc IReceivables
    function lockOf(uint256 noteId) external view returns (address payingBank, uint64 net) {
        return (address(uint160(_locks[noteId])), uint64(_locks[noteId] >> 160));
    }

    /// @inheritdoc IReceivables
    function isQuoteUsed(bytes32 quoteHash) external view returns (bool) {
        return _usedQuotes[quoteHash];
    }

    /// @inheritdoc IReceivables
    function isReferenceUsed(address bank, bytes32 bankReference) external view returns (bool) {
        return _usedReferences[keccak256(abi.encode(bank, bankReference))];
    }

    /// @inheritdoc IReceivables
    function quorumNonce() external view returns (uint256) {
        return _quorumNonce;
    }

    /// @inheritdoc IReceivables
    function receivableCount() external view returns (uint64) {
        return _count;
    }

    // ------------------------------------------------------------------ inside: notes

    function _known(uint256 noteId) private view returns (uint256 note) {
        note = _notes[noteId];
        if (note == 0) revert Errors.Receivables_UnknownNote(noteId);
    }

    function _refuseMove(uint256 noteId, uint256 flags) private pure {
        revert Errors.Receivables_NotMovable(noteId, uint8(flags));
    }

    function _refuseStatus(uint256 receivableId, uint256 terms) private pure {
        revert Errors.Receivables_WrongStatus(uint64(receivableId), uint8(terms.status()));
    }

    function _refuseIndex(uint256 noteId, uint256 expected) private pure {
        revert Errors.Receivables_WrongChildIndex(noteId, expected);
    }

    function _refuseUnoffered(uint256 noteId) private pure {
        revert Errors.Receivables_NotOffered(noteId);
    }

    function _refuseEmpty(uint256 noteId) private pure {
        revert Errors.Receivables_NothingToReturn(noteId);
    }

    function _refuseDependent(address member) private pure {
        revert Errors.Receivables_NotIndependent(member);
    }

    function _refuseDepth(uint256 noteId) private pure {
        revert Errors.Receivables_TooDeep(noteId);
    }

    function _refuseProof(uint256 massId, uint32 leaf) private pure {
        revert Errors.Receivables_BadProof(massId, leaf);
    }

    function _refuseLength() private pure {
        revert Errors.Receivables_LengthMismatch();
    }

    function _refuseRound(uint256 receivableId, uint256 round) private view {
        revert Errors.Receivables_WrongRound(uint16(round), uint16(_receivables[receivableId].sums.rounds()));
    }

    function _refuseHolder(uint256 noteId) private pure {
        revert Errors.Receivables_OtherHolder(noteId);
    }

    function _refuseMember(address member) private pure {
        revert Errors.ERC7943CannotTransact(member);
    }

    function _refuseReuse(bytes32 what) private pure {
        revert Errors.AlreadyUsed(what);
    }

    /// @dev Writes a new note; an id is used once.
    function _put(uint256 noteId, uint256 note) private {
        if (_notes[noteId] != 0) revert Errors.Receivables_NoteExists(noteId);
        _notes[noteId] = note;
    }

    /// @dev The note as its holder may spend it now, and its terms. The caller has checked the holder's key; time is
    /// judged with the offer, which ends by maturity.
    function _spendable(uint256 noteId, uint256 note, uint256 word, uint256 childIndex)
        private
        returns (uint256, uint256)
    {
        uint256 terms = _receivables[noteId >> 192].terms;
        note = _spendableAfterAll(noteId, note, word, childIndex, terms);
        _requireRoom(noteId, note);
        return (note, terms);
    }

    /// @dev An index and a tier are left for one child more.
    function _requireRoom(uint256 noteId, uint256 note) private pure {
        if (note.children() == MAX_CHILDREN) _refuseIndex(noteId, MAX_CHILDREN);
        if (note.tier() == type(uint8).max) _refuseDepth(noteId);
    }

    /// @dev Acting on an offer accepts it.
    function _spendableAfterAll(uint256 noteId, uint256 note, uint256 word, uint256 childIndex, uint256 terms)
        private
        returns (uint256)
    {
        if (!word.isGood()) _refuseMember(note.holder());
        if (note.flags() & (Notes.PENDING | Notes.FROZEN) != 0) {
            if (note.flags() & Notes.MASS != 0) _refuseMove(noteId, note.flags());
            note = _acceptOffer(noteId, note);
        } else if (terms.status() != Terms.OPEN) {
            _refuseStatus(noteId >> 192, terms);
        }
        if (_words[terms.obligor()].isHalted()) revert Errors.Receivables_ObligorHalted(terms.obligor());
        if (note.children() != childIndex && childIndex != ANY_INDEX) _refuseIndex(noteId, note.children());
        return note;
    }

    /// @dev An offer becomes its holder's; the root's acceptance makes the receivable live.
    function _acceptOffer(uint256 noteId, uint256 note) private returns (uint256) {
        uint256 flags = note.flags();
        if (flags & (Notes.LOCKED | Notes.FROZEN) != 0) _refuseMove(noteId, flags);
        if (flags & Notes.OFFERED == 0) _refuseUnoffered(noteId);
        uint256 terms = _receivables[noteId >> 192].terms;
        _requireStillOpen(noteId, note, terms);
        if (note.tier() == 1) {
            _receivables[noteId >> 192].terms = terms.withStatus(Terms.OPEN);
        } else if (terms.status() != Terms.OPEN) {
            _refuseStatus(noteId >> 192, terms);
        }
        note = note.accepted();
        _notes[noteId] = note;
        emit Accepted(noteId, note.holder());
        return note;
    }

    /// @dev The holder's signature over the whole list, and the note it is spent from.
    function _startMany(PassMany calldata p, bytes calldata signature) private returns (uint256, uint256) {
        uint256 parent = _notes[p.parentId];
        uint256 word = _words[parent.holder()];
        if (signature.length == 0) _requireCaller(word.key());
        else _requireSignature(word.key(), Intents.passMany(p), signature);
        _requireInTime(p.deadline);
        uint256 count = p.to.length;
        if (count == 0 || count != p.amounts.length || count != p.evidence.length) {
            _refuseLength();
        }
        return _spendableToMany(p.parentId, parent, word, p.childIndex);
    }

    /// @dev What a financier bought goes on one pass at a time, each to another house.
    function _spendableToMany(uint256 noteId, uint256 note, uint256 word, uint256 childIndex)
        private
        returns (uint256, uint256)
    {
        if (note.flags() & Notes.FINANCED != 0) _refuseMove(noteId, note.flags());
        return _spendable(noteId, note, word, childIndex);
    }

    /// @dev Checks, writes and tells one child; the caller takes its amount from the parent. `offer` comes from `_offer`.
    /// One look at all conditions: the recipient is a member in good standing, the amount is there and surely large enough, the child is not too
    /// deep, an index is left, the id is new. Where one fails, `_requirePassable` says why, or finds that the amount is
    /// large enough after all.
    function _passOne(
        bytes32 evidence,
        uint256 parentId,
        uint256 parent,
        uint256 terms,
        uint256 to,
        uint256 amount,
        uint256 offer
    ) private returns (uint256 noteId) {
        bytes32 topic = Passed.selector;
        uint256 failed;
        assembly ("memory-safe") {
            mstore(0x00, to)
            mstore(0x20, _words.slot)
            let word := sload(keccak256(0x00, 0x40))
            let index := and(shr(224, parent), 0xffff)
            failed := or(iszero(word), and(byte(3, word), 3)) // SUSPENDED, BLACKLISTED
            failed := or(failed, gt(amount, and(shr(160, parent), 0xffffffffffffffff)))
            failed := or(failed, iszero(shr(byte(7, terms), amount))) // bits of the smallest amount
            failed := or(failed, iszero(lt(byte(1, parent), byte(3, terms)))) // tier, deepest tier
            failed := or(failed, eq(index, 0xffff))
            offer := mul(offer, gt(shl(96, xor(to, parent)), 0)) // to oneself: no offer
            let m := mload(0x40) // put back below
            mstore(0x00, parentId)
            mstore(0x20, index)
            mstore(0x40, evidence)
            noteId := or(shl(192, shr(192, parentId)), shr(64, shl(64, keccak256(0x00, 0x60))))
            mstore(0x00, noteId)
            mstore(0x20, _notes.slot)
            let slot := keccak256(0x00, 0x40)
            failed := or(failed, shl(64, sload(slot))) // id in use
            word := or(or(to, shl(160, amount)), shl(240, add(byte(1, parent), 1)))
            sstore(slot, or(word, shl(224, shr(224, offer))))
            mstore(0x00, index)
            mstore(0x20, amount)
            mstore(0x60, and(offer, 0xffffffffff))
            log4(0x00, 0x80, topic, parentId, noteId, to)
            mstore(0x40, m)
            mstore(0x60, 0)
        }
        if (failed != 0) {
            if (failed >> 64 != 0) revert Errors.Receivables_NoteExists(noteId);
            _requirePassable(parentId, parent, terms, to, amount);
        }
    }

    function _requirePassable(uint256 parentId, uint256 parent, uint256 terms, uint256 to, uint256 amount)
        private
        view
    {
        if (to >> 160 != 0 || !_words[address(uint160(to))].isGood()) _refuseMember(address(uint160(to)));
        _requireAmount(parentId, parent, terms, amount);
        if (parent.tier() >= terms.maxTier()) _refuseDepth(parentId);
        if (parent.children() == MAX_CHILDREN) _refuseIndex(parentId, MAX_CHILDREN);
    }

    /// @dev The second word of the terms is read only for amounts so small that it matters.
    function _requireAmount(uint256 noteId, uint256 note, uint256 terms, uint256 amount) private view {
        if (amount > note.amount()) revert Errors.Receivables_AmountExceeded(noteId, amount, note.amount());
        if (amount >> terms.leastBits() == 0) {
            uint256 least = _receivables[noteId >> 192].sums.smallest();
            if (amount < least || amount == 0) revert Errors.Receivables_AmountTooSmall(amount, least);
        }
    }

    // ------------------------------------------------------------------ inside: offers and their time

    /// @dev An offer's deadline, checked, as a note holds it (hours after the hour of issue << 224 | OFFERED << 248), and
    /// in seconds in the low bits. The hours are never 0, because the deadline lies ahead.
    function _offer(uint256 terms, uint256 offerUntil) private view returns (uint256 offer) {
        uint256 failed;
        assembly ("memory-safe") {
            offer := sub(div(offerUntil, 3600), and(shr(200, terms), 0xffffff))
            failed := or(gt(offer, 0xffff), mod(offerUntil, 3600))
            failed := or(failed, gt(offerUntil, and(shr(160, terms), 0xffffffff))) // maturity
            failed := or(failed, iszero(gt(offerUntil, timestamp())))
            offer := or(shl(224, or(offer, 0x1000000)), offerUntil)
        }
        if (failed != 0) _refuseOffer(terms, offerUntil);
    }

    function _refuseOffer(uint256 terms, uint256 offerUntil) private view {
        if (block.timestamp >= terms.maturity()) revert Errors.Receivables_Matured();
        revert Errors.Receivables_BadOffer(uint40(offerUntil));
    }

    function _offerHours(uint256 terms, uint256 offerUntil) private view returns (uint256) {
        return uint16(_offer(terms, offerUntil) >> 224);
    }

    function _deadlineOf(uint256 note, uint256 terms) private pure returns (uint256) {
        return (terms.issuedHour() + note.children()) * HOUR;
    }

    function _requireStillOpen(uint256 noteId, uint256 note, uint256 terms) private view {
        uint256 deadline = _deadlineOf(note, terms);
        if (block.timestamp >= deadline) revert Errors.Receivables_OfferClosed(noteId, deadline);
    }

    function _requireOver(uint256 noteId, uint256 note, uint256 terms) private view {
        uint256 deadline = _deadlineOf(note, terms);
        if (block.timestamp < deadline) revert Errors.Receivables_OfferOpen(noteId, deadline);
    }

    /// @dev A pending note's value goes back to its parent; a root's offer takes the whole receivable with it.
    function _giveBack(
        uint256 receivableId,
        uint256 parentId,
        uint256 noteId,
        uint256 note,
        uint8 cause,
        bytes32 reason
    ) private {
        uint256 amount = note.amount();
        if (note.flags() & Notes.FROZEN != 0) _refuseMove(noteId, note.flags());
        if (amount == 0) _refuseEmpty(noteId);
        _notes[noteId] = note.emptied();
        Receivable storage r = _receivables[receivableId];
        uint256 terms = r.terms;
        uint256 sums = r.sums;
        if (parentId == 0) {
            r.terms = terms.withStatus(Terms.CANCELLED);
            r.sums = Terms.packSums(sums.face(), 0, 0, sums.smallest(), 0);
            _tell(IMembers.Counted.Paid, terms.obligor(), terms, amount);
        } else {
            uint256 parent = _notes[parentId];
            if (sums.rounds() != 0) _requireEquallySettled(parentId, parent, noteId);
            _notes[parentId] = parent.withAmount(parent.amount() + amount);
            if (parent.flags() & Notes.FINANCED != 0) {
                _tell(IMembers.Counted.Returned, parent.holder(), terms, amount);
            }
        }
        if (note.flags() & Notes.LOCKED != 0) {
            delete _locks[noteId];
            _countSold(noteId, note, amount);
        }
        emit Returned(parentId, noteId, uint64(amount), cause, reason);
    }

    /// @dev After a payment only notes settled alike may be joined, or one of them would be paid twice or never.
    function _requireEquallySettled(uint256 parentId, uint256 parent, uint256 noteId) private {
        uint256 settled = _settledRounds[noteId];
        if (parent.amount() == 0) {
            _settledRounds[parentId] = settled;
        } else if (_settledRounds[parentId] != settled) {
            revert Errors.Receivables_EarlierRoundOpen(parentId, _settledRounds[parentId]);
        }
    }

    // ------------------------------------------------------------------ inside: limits, references, quotes

    /// @dev `Members` counts what is owed and bought in the currency of these terms, and refuses above a limit.
    function _tell(IMembers.Counted act, address who, uint256 terms, uint256 amount) private {
        members.count(act, who, terms.currency(), uint64(amount));
    }

    /// @dev An amount leaves a note that was bought, or is about to be; any other note counts for no financier.
    function _countSold(uint256 noteId, uint256 note, uint256 amount) private {
        if (note.flags() & (Notes.FINANCED | Notes.LOCKED) == 0) return;
        _tell(IMembers.Counted.Sold, note.holder(), _receivables[noteId >> 192].terms, amount);
    }

    /// @dev One receivable a fingerprint; a cancelled one frees it, but only for a signature with a later deadline, so
    /// that no signature of a cancelled promise works again.
    function _register(bytes32 fingerprint, uint256 receivableId, uint256 deadline) private {
        uint256 earlier = _registered[fingerprint];
        if (earlier != 0) {
            if (_receivables[uint64(earlier)].terms.status() != Terms.CANCELLED) {
                revert Errors.Receivables_FingerprintTaken(fingerprint, uint64(earlier));
            }
            if (deadline <= earlier >> 64) _refuseReuse(fingerprint);
        }
        _registered[fingerprint] = receivableId | (deadline << 64);
    }

    function _useReference(address bank, bytes32 bankReference) private {
        bytes32 key = keccak256(abi.encode(bank, bankReference));
        if (_usedReferences[key]) _refuseReuse(bankReference);
        _usedReferences[key] = true;
    }

    function _useQuote(bytes32 quoteHash, uint40 expiry) private {
        if (_usedQuotes[quoteHash]) _refuseReuse(quoteHash);
        if (block.timestamp > expiry) revert Errors.Receivables_QuoteExpired(expiry);
        _usedQuotes[quoteHash] = true;
    }

    /// @dev Makes the child that is the financier's once the paying bank attests.
    function _lock(Quote calldata quote, bytes32 quoteHash, bytes32 reading, uint256 parent, uint256 word)
        private
        returns (uint256 noteId)
    {
        uint256 terms;
        (parent, terms) = _spendable(quote.parentId, parent, word, ANY_INDEX);
        _requireAmount(quote.parentId, parent, terms, quote.amount);
        noteId = Notes.id(quote.parentId >> 192, quote.parentId, parent.children(), quote.evidence);
        uint256 flags = Notes.OFFERED | Notes.LOCKED | (quote.recourse ? Notes.RECOURSE : 0);
        uint256 hoursAfter = _offerHours(terms, quote.lockUntil);
        _put(noteId, Notes.pack(quote.financier, quote.amount, hoursAfter, parent.tier() + 1, flags));
        _locks[noteId] = uint256(uint160(quote.payingBank)) | (uint256(quote.net) << 160);
        _notes[quote.parentId] = parent.spend(quote.amount);
        _countSold(quote.parentId, parent, quote.amount);
        _tell(IMembers.Counted.Bought, quote.financier, terms, quote.amount);
        _emitLocked(quote, noteId, uint16(parent.children()), quoteHash, reading);
    }

    /// @dev The bank paid the agreed net in time: the note is the financier's.
    function _complete(uint256 noteId, uint64 net) private {
        uint256 note = _notes[noteId];
        if (note.flags() & Notes.FROZEN != 0) _refuseMove(noteId, note.flags());
        uint64 agreed = uint64(_locks[noteId] >> 160);
        if (net != agreed) revert Errors.Receivables_WrongNet(net, agreed);
        _requireStillOpen(noteId, note, _receivables[noteId >> 192].terms);
        _goodWord(note.holder(), Roles.FINANCIER);
        delete _locks[noteId];
        _notes[noteId] = note.accepted() | (Notes.FINANCED << 248);
    }

    function _emitLocked(Quote calldata quote, uint256 noteId, uint16 childIndex, bytes32 quoteHash, bytes32 reading)
        private
    {
        emit FinancingLocked(quote.parentId, noteId, quote.financier, childIndex, quoteHash, quote, reading);
    }

    /// @dev Price adds up; financier, holder and paying bank are members in their roles, and the holder's own
    /// organisation neither finances nor attests.
    function _checkQuote(Quote calldata quote, uint256 holderWord) private view {
        uint256 financier = _goodWord(quote.financier, Roles.FINANCIER);
        uint256 bank = _goodWord(quote.payingBank, Roles.BANK);
        if (uint256(quote.net) + quote.discount + quote.fees != quote.amount || quote.net == 0) {
            revert Errors.Receivables_BadQuote();
        }
        uint32 organisation = holderWord.organisation();
        if (financier.organisation() == organisation) _refuseDependent(quote.financier);
        if (bank.organisation() == organisation) _refuseDependent(quote.payingBank);
    }

    // ------------------------------------------------------------------ inside: mass pass

    function _commitment(uint256 root, uint256 count) private pure returns (uint256) {
        return (uint256(keccak256(abi.encode(root))) >> 32 << 32) | count;
    }

    /// @dev Takes one leaf's amount from what the giver committed.
    function _claim(uint256 massId, uint256 noteId, address to, uint256 amount) private {
        uint256 mass = _notes[massId];
        if (mass.flags() != Notes.MASS) _refuseMove(massId, mass.flags());
        uint256 terms = _receivables[massId >> 192].terms;
        _requireStillOpen(massId, mass, terms);
        _requireAmount(massId, mass, terms, amount);
        _put(noteId, Notes.pack(to, amount, 0, mass.tier(), Notes.LEAF));
        _notes[massId] = mass.withAmount(mass.amount() - amount);
    }

    /// @dev Verifies the leaf and says what evidence its note carries: keccak256(abi.encode(root, leaf)).
    function _leafEvidence(uint256 massId, uint32 leaf, address to, uint64 amount, uint256[] calldata proof)
        private
        view
        returns (bytes32)
    {
        uint256 commitment = _commitments[massId];
        uint256 count = uint32(commitment);
        uint256 depth = SumTree.depthOf(count);
        if (leaf >= count || proof.length != depth) _refuseProof(massId, leaf);
        (uint256 root, bool ok) = SumTree.root(SumTree.leaf(depth, leaf, to, amount), leaf, proof);
        if (!ok || _commitment(root, count) != commitment) _refuseProof(massId, leaf);
        return keccak256(abi.encode(root, leaf));
    }

    // ------------------------------------------------------------------ inside: settlement

    function _roundKey(uint256 receivableId, uint256 round) private pure returns (uint256) {
        return (receivableId << 16) | round;
    }

    /// @dev The payment is signed by the obligor's paying bank, which is not of the obligor's own organisation.
    function _requirePayingBank(address obligor, Payment calldata p, bytes calldata bankSignature)
        private
        view
        returns (address bank)
    {
        bank = members.payingBankOf(obligor);
        uint256 word = _goodWord(bank, Roles.BANK);
        _requireAct(word.key(), Intents.payment(p), p.deadline, bankSignature);
        if (word.organisation() == _words[obligor].organisation()) _refuseDependent(bank);
    }

    function _openRound(Payment calldata p, uint256 base) private {
        Round storage r = _rounds[_roundKey(p.receivableId, p.round)];
        r.pot = p.principal | (uint256(p.interest) << 64) | (base << 128) | (base << 192);
        r.left = p.principal | (uint256(p.interest) << 64) | (uint256(p.principalCut) << 128)
            | (uint256(p.interestCut) << 192);
        if (p.principalCutNote != 0) r.principalCutNote = p.principalCutNote;
        if (p.interestCutNote != 0) r.interestCutNote = p.interestCutNote;
    }

    function _openTally(uint256 receivableId, uint256 round) private view returns (Tally memory t) {
        Round storage r = _rounds[_roundKey(receivableId, round)];
        uint256 pot = r.pot;
        if (pot == 0) {
            _refuseRound(receivableId, round);
        }
        uint256 left = r.left;
        t.number = round;
        t.principal = uint64(pot);
        t.interest = uint64(pot >> 64);
        t.base = uint64(pot >> 128);
        t.baseLeft = pot >> 192;
        t.principalLeft = uint64(left);
        t.interestLeft = uint64(left >> 64);
        if (t.principal != t.base) {
            t.principalCut = uint64(left >> 128);
            t.principalCutNote = r.principalCutNote;
        }
        if (t.interest != 0) {
            t.interestCut = left >> 192;
            t.interestCutNote = r.interestCutNote;
        }
    }

    function _closeTally(uint256 receivableId, Tally memory t) private {
        Round storage r = _rounds[_roundKey(receivableId, t.number)];
        r.pot = (r.pot << 64 >> 64) | (t.baseLeft << 192);
        r.left = (r.left >> 128 << 128) | t.principalLeft | (t.interestLeft << 64);
    }

    /// @dev One note on the long way, between others on the short one.
    function _settleBetween(Tally memory t, uint256 noteId, uint256 note, uint256 plainLeft, uint256 sum)
        private
        returns (uint256)
    {
        t.principalLeft -= sum;
        t.baseLeft -= sum;
        _settle(t, noteId, note, note.holder());
        return plainLeft == 0 ? 0 : t.principalLeft;
    }

    /// @dev Pays one note its share of the round. Already settled: nothing. Frozen: held, the others go on.
    function _settle(Tally memory t, uint256 noteId, uint256 note, address payee) private {
        uint256 amount = note.amount();
        if (amount == 0) return;
        bool isFull = t.principal == t.base;
        uint256 settled = t.number;
        if (settled != 0 || !isFull) {
            settled = _settledRounds[noteId];
            if (settled > t.number) return;
        }
        if (note.flags() & Notes.FROZEN != 0) {
            emit SettlementHeld(noteId);
            return;
        }
        if (settled < t.number) revert Errors.Receivables_EarlierRoundOpen(noteId, settled);
        if (!isFull) _settledRounds[noteId] = t.number + 1;
        (uint256 principal, uint256 interest) = _take(t, noteId, note, isFull);
        _countSold(noteId, note, principal);
        if (isFull && note.children() == 0 && note.flags() & (Notes.PENDING | Notes.LEAF) == 0 && principal == amount) {
            delete _notes[noteId];
        } else {
            note = note.withAmount(amount - principal);
            if (principal == amount && note.flags() & Notes.PENDING != 0) note = note.emptied();
            _notes[noteId] = note;
        }
        emit Settled(noteId, payee, uint16(t.number), uint64(principal), uint64(interest));
    }

    /// @dev The note's share by the cuts; never more than is left, and never so little that the notes after it could
    /// not take the rest. So the shares add up to the payment whatever the cuts say; right cuts are never corrected.
    function _take(Tally memory t, uint256 noteId, uint256 note, bool isFull)
        private
        view
        returns (uint256 principal, uint256 interest)
    {
        uint256 amount = note.amount();
        if (note.flags() & Notes.MOVED != 0) noteId = _movedFrom[noteId];
        t.baseLeft -= amount;
        principal =
            isFull ? amount : Shares.share(amount, t.principal, t.base, t.principalCut, t.principalCutNote, noteId);
        if (principal > t.principalLeft) principal = t.principalLeft;
        if (principal + t.baseLeft < t.principalLeft) principal = t.principalLeft - t.baseLeft;
        t.principalLeft -= principal;
        if (t.interest != 0) {
            interest = Shares.share(amount, t.interest, t.base, t.interestCut, t.interestCutNote, noteId);
            if (interest > t.interestLeft || t.baseLeft == 0) interest = t.interestLeft;
            t.interestLeft -= interest;
        }
    }

    function _emitIssued(Issue calldata i, uint256 receivableId, uint256 noteId) private {
        emit Issued(
            uint64(receivableId),
            i.obligor,
            i.creditor,
            noteId,
            i.face,
            i.currency,
            i.maturity,
            i.maxTier,
            i.minAmount,
            i.fingerprint,
            i.document,
            i.offerUntil
        );
    }

    function _domainName() internal pure override returns (string memory) {
        return "scf Receivables";
    }
}
