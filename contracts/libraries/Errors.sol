// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Errors: every refusal of the contracts, one error a reason, with the facts that caused it.
library Errors {
    // Signatures and authority, all contracts
    error SignatureExpired(uint40 deadline);
    error NotAuthorised(address key);
    error OnlyMembers(address caller);
    error AlreadyUsed(bytes32 what);
    error SignatureCountedTwice();
    /// @notice Name taken from ERC-7943: the account is unknown, suspended, blacklisted or lacks the role.
    error ERC7943CannotTransact(address account);

    // Members
    error Members_ZeroField(address member);
    error Members_UnknownMember(address member);
    error Members_KeyTaken(address key, address member);
    error Members_KeyChangeNeedsRotation(address member);
    error Members_UnknownRoles(uint32 roles);
    error Members_NotObligor(address member);
    error Members_PayingBankNeedsConsent(address obligor);
    error Members_StandingNotAllowed(uint8 standing);
    error Members_NotHalted(address obligor);
    error Members_StillOverdue(address obligor, uint256 receivables);
    error Members_TooFewSignatures(uint256 given, uint8 threshold);
    error Members_NotOperator(address signer);
    error Members_SignersNotSorted(address previous, address signer);
    error Members_BadOperators();
    error Members_BadTarget(address target);
    error Members_NothingConnected();
    error Members_NotLedger(address caller);
    error Members_NotFinancier(address member);
    error Members_NoGroup();
    error Members_GroupFull(uint24 group);
    error Members_LimitExceeded(address obligor, uint256 wanted, uint64 limit);
    error Members_GroupLimitExceeded(uint24 group, uint256 wanted, uint64 limit);
    error Members_FinancierLimitExceeded(address financier, uint256 wanted, uint64 limit);

    // Receivables
    error Receivables_UnknownNote(uint256 noteId);
    error Receivables_NotMovable(uint256 noteId, uint8 flags);
    error Receivables_NotOffered(uint256 noteId);
    error Receivables_OfferClosed(uint256 noteId, uint256 deadline);
    error Receivables_OfferOpen(uint256 noteId, uint256 deadline);
    error Receivables_BadOffer(uint40 offerUntil);
    error Receivables_BadTerms();
    error Receivables_FingerprintTaken(bytes32 fingerprint, uint64 receivableId);
    error Receivables_ObligorHalted(address obligor);
    error Receivables_WrongStatus(uint64 receivableId, uint8 status);
    error Receivables_Matured();
    error Receivables_NotMatured(uint64 receivableId);
    error Receivables_WrongChildIndex(uint256 noteId, uint256 expected);
    error Receivables_AmountExceeded(uint256 noteId, uint256 wanted, uint256 available);
    error Receivables_AmountTooSmall(uint256 amount, uint256 least);
    error Receivables_TooDeep(uint256 noteId);
    error Receivables_NoteExists(uint256 noteId);
    error Receivables_LengthMismatch();
    error Receivables_OtherHolder(uint256 noteId);
    error Receivables_OtherReceivable(uint256 noteId);
    error Receivables_BadQuote();
    error Receivables_QuoteExpired(uint40 expiry);
    error Receivables_NotIndependent(address member);
    error Receivables_WrongNet(uint64 net, uint64 agreed);
    error Receivables_MissingRegistration();
    error Receivables_WrongRound(uint16 round, uint16 expected);
    error Receivables_BadPayment();
    error Receivables_EarlierRoundOpen(uint256 noteId, uint256 settledRounds);
    error Receivables_NothingToReturn(uint256 noteId);
    error Receivables_BadTree();
    error Receivables_BadProof(uint256 massId, uint32 leaf);
    error Receivables_NotOverdue(uint64 receivableId);

    // EntrustedAccounts
    error Entrusted_BadOpening();
    error Entrusted_NotIndependent(address member);
    error Entrusted_UnknownStage(uint64 accountId, uint8 stage);
    error Entrusted_NotLocked(uint64 accountId);
    error Entrusted_AlreadyLocked(uint64 accountId);
    error Entrusted_WrongAmount(uint64 amount, uint64 expected);
    error Entrusted_NoDuty(uint64 accountId, address who);
    error Entrusted_StageOver(uint64 accountId, uint8 stage);
    error Entrusted_NotMore(uint64 upTo, uint64 before);
    error Entrusted_TooMuch(uint64 amount, uint64 available);
    error Entrusted_NotParty(address who);
    error Entrusted_UnknownPayment(bytes32 paymentId);

    // EvidenceLog
    error EvidenceLog_NotOperator(address who);
    error EvidenceLog_NotGrowing(uint64 size, uint64 head);
    error EvidenceLog_WrongPrevious(uint64 previousSize, uint64 head);

    // QuorumAccount
    error QuorumAccount_BadOwners();
}
