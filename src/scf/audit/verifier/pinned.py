"""Text of the contracts' interface as the verifier pins it: structs, events, acts and what is signed (EIP-712)."""

from __future__ import annotations

STRUCTS = {
    "Enrolment": "address member,address key,uint32 organisation,uint32 roles,uint64 limit,address payingBank,"
    "bytes32 identity",
    "Issue": "address obligor,address creditor,uint64 face,uint16 currency,uint40 maturity,uint8 maxTier,"
    "uint48 minAmount,bytes32 fingerprint,bytes32 document,uint40 offerUntil,uint40 deadline",
    "Pass": "uint256 parentId,uint16 childIndex,address to,uint64 amount,bytes32 evidence,uint40 offerUntil,"
    "uint40 deadline",
    "PassMany": "uint256 parentId,uint16 childIndex,address[] to,uint64[] amounts,bytes32[] evidence,"
    "uint40 offerUntil,uint40 deadline",
    "MassPass": "uint256 parentId,uint16 childIndex,uint256 root,uint32 count,bytes32 evidence,uint40 offerUntil,"
    "uint40 deadline",
    "Quote": "uint256 parentId,address financier,address payingBank,uint64 amount,uint64 net,uint64 discount,"
    "uint64 fees,uint32 aprPpm,bool recourse,bytes32 terms,bytes32 evidence,uint64 entrustedAccount,"
    "uint40 lockUntil,uint40 expiry",
    "Payment": "uint64 receivableId,uint16 round,uint64 principal,uint64 interest,uint64 principalCut,"
    "uint256 principalCutNote,uint64 interestCut,uint256 interestCutNote,bytes32 bankReference,uint40 deadline",
    "Stage": "address payee,bytes32 payeeAccount,uint64 amount,bytes32 rule,uint40 deadline",
    "Opening": "address payer,address beneficiary,address bank,uint16 currency,bytes32 account,bytes32 purpose,"
    "bytes32 consent,Stage[] stages,address[] attestors,address[] approvers,bytes32 salt,uint40 deadline",
}

EVENTS = {
    "Members": (
        "Enrolled(address indexed member,address indexed key,uint32 indexed organisation,uint32 roles,uint64 limit,"
        "address payingBank,bytes32 identity)",
        "StandingSet(address indexed member,uint8 standing,bytes32 reason)",
        "LimitSet(address indexed obligor,uint64 limit)",
        "GroupSet(address indexed obligor,uint24 indexed group)",
        "GroupLimitSet(uint24 indexed group,uint16 indexed currency,uint64 limit)",
        "FinancierLimitSet(address indexed financier,uint16 indexed currency,uint64 limit)",
        "PayingBankSet(address indexed obligor,address payingBank)",
        "Halted(address indexed obligor,uint64 receivableId,bytes32 reason)",
        "Cured(address indexed obligor,bytes32 evidence)",
        "KeyRotated(address indexed member,address indexed oldKey,address indexed newKey)",
        "Connected(address indexed target)",
        "OperatorsSet(address[] operators,uint8 threshold)",
    ),
    "Receivables": (
        "Issued(uint64 indexed receivableId,address indexed obligor,address indexed creditor,uint256 noteId,"
        "uint64 face,uint16 currency,uint40 maturity,uint8 maxTier,uint48 minAmount,bytes32 fingerprint,"
        "bytes32 document,uint40 offerUntil)",
        "Accepted(uint256 indexed noteId,address indexed holder)",
        "Passed(uint256 indexed parentId,uint256 indexed noteId,address indexed to,uint16 childIndex,uint64 amount,"
        "bytes32 evidence,uint40 offerUntil)",
        "Returned(uint256 indexed parentId,uint256 indexed noteId,uint64 amount,uint8 cause,bytes32 reason)",
        "MassPassed(uint256 indexed parentId,uint256 indexed massId,uint16 childIndex,uint256 root,uint32 count,"
        "bytes32 evidence,uint40 offerUntil)",
        "Materialised(uint256 indexed massId,uint256 indexed noteId,address indexed to,uint32 leaf,uint64 amount)",
        "FinancingLocked(uint256 indexed parentId,uint256 indexed noteId,address indexed financier,"
        "uint16 childIndex,bytes32 quoteHash,Quote quote,bytes32 reading)",
        "FinancingCompleted(uint256 indexed noteId,uint64 net,bytes32 registration,bytes32 bankReference)",
        "PaymentRecorded(uint64 indexed receivableId,uint16 indexed round,address indexed bank,uint64 principal,"
        "uint64 interest,uint64 outstanding,bytes32 bankReference)",
        "Settled(uint256 indexed noteId,address indexed payee,uint16 indexed round,uint64 principal,uint64 interest)",
        "SettlementHeld(uint256 indexed noteId)",
        "Closed(uint64 indexed receivableId)",
        "Frozen(address indexed account,uint256 indexed tokenId,bool indexed frozenStatus,bytes32 reason)",
        "ForcedTransfer(address indexed from,address indexed to,uint256 indexed tokenId,uint256 noteId,bytes32 reason)",
    ),
    "EntrustedAccounts": (
        "Opened(uint64 indexed accountId,address indexed payer,address indexed beneficiary,address bank,"
        "uint16 currency,uint64 amount,bytes32 account,bytes32 purpose,bytes32 consent)",
        "StageSet(uint64 indexed accountId,uint8 indexed stage,address indexed payee,bytes32 payeeAccount,"
        "uint64 amount,bytes32 rule,uint40 deadline)",
        "DutyGiven(uint64 indexed accountId,address indexed who,uint8 duty)",
        "FundsLocked(uint64 indexed accountId,uint64 amount,bytes32 bankReference)",
        "EvidenceAttested(uint64 indexed accountId,uint8 indexed stage,address indexed attestor,uint64 upTo,"
        "bytes32 evidence)",
        "ReleaseApproved(uint64 indexed accountId,uint8 indexed stage,address indexed approver,uint64 upTo,"
        "bytes32 decision)",
        "ReleaseExecuted(uint64 indexed accountId,uint8 indexed stage,uint64 amount,bytes32 paymentId,"
        "bytes32 bankReference)",
        "Disputed(uint64 indexed accountId,uint8 indexed stage,address indexed by,uint64 amount,bytes32 reason)",
        "DisputeResolved(uint64 indexed accountId,uint8 indexed stage,uint64 toRelease,uint64 toRefund,bytes32 reason)",
        "RefundExecuted(uint64 indexed accountId,uint8 indexed stage,uint64 amount,bytes32 paymentId,"
        "bytes32 bankReference)",
        "PaymentReturned(uint64 indexed accountId,uint8 indexed stage,uint64 amount,bytes32 paymentId,"
        "bytes32 bankReference)",
    ),
    "EvidenceLog": ("Anchored(uint64 indexed size,bytes32 indexed root,address indexed operator,uint64 previousSize)",),
}

ACTS = {
    "Members": (
        "enrol(Enrolment e,bytes[] signatures)",
        "enrolMany(Enrolment[] e,bytes[] signatures)",
        "setStanding(address member,uint8 standing,bytes32 reason,bytes[] signatures)",
        "setLimit(address obligor,uint64 limit,bytes[] signatures)",
        "setGroup(address obligor,uint24 group,bytes[] signatures)",
        "setGroupLimit(uint24 group,uint16 currency,uint64 limit,bytes[] signatures)",
        "setFinancierLimit(address financier,uint16 currency,uint64 limit,bytes[] signatures)",
        "setPayingBank(address obligor,address payingBank,bytes[] signatures,bytes consent)",
        "halt(address obligor,bytes32 reason,bytes[] signatures)",
        "cure(address obligor,bytes32 evidence,bytes[] signatures)",
        "connect(address target,bytes[] signatures)",
        "setOperators(address[] operators,uint8 threshold,bytes[] signatures)",
        "rotateKey(address member,address newKey,uint40 deadline,bytes oldSignature,bytes newSignature)",
        "haltOverdue(uint64 receivableId)",
    ),
    "Receivables": (
        "issue(Issue intent,bytes signature)",
        "accept(uint256 noteId,uint40 deadline,bytes signature)",
        "acceptMany(uint256[] noteIds,uint40 deadline,bytes signature)",
        "refuse(uint64 receivableId,uint256 parentId,uint256 childIndex,bytes32 evidence,bytes32 reason,"
        "uint40 deadline,bytes signature)",
        "withdraw(uint64 receivableId,uint256 parentId,uint256 childIndex,bytes32 evidence,uint40 deadline,"
        "bytes signature)",
        "lapse(uint64 receivableId,uint256 parentId,uint256 childIndex,bytes32 evidence)",
        "pass(Pass intent,bytes signature)",
        "passMany(PassMany intent,bytes signature)",
        "passMass(MassPass intent,bytes signature)",
        "materialise(uint256 massId,uint32 leaf,address to,uint64 amount,uint256[] proof,uint40 deadline,"
        "bytes signature)",
        "finance(Quote quote,bytes financierSignature,bytes32 reading,uint40 deadline,bytes holderSignature)",
        "completeFinancing(uint256 noteId,uint64 net,bytes32 registration,bytes32 bankReference,uint40 deadline,"
        "bytes bankSignature)",
        "recordPayment(Payment payment,bytes bankSignature)",
        "settleMany(uint64 receivableId,uint16 round,uint256[] noteIds)",
        "settleOffered(uint64 receivableId,uint16 round,uint256 parentId,uint256 childIndex,bytes32 evidence)",
        "setFrozenTokens(uint256 noteId,bool frozenStatus,bytes32 reason,bytes[] signatures)",
        "forcedTransfer(uint256 noteId,address to,bytes32 reason,bytes[] signatures)",
    ),
    "EntrustedAccounts": (
        "open(Opening opening,bytes payerSignature,bytes beneficiarySignature)",
        "confirmLocked(uint64 accountId,uint64 amount,bytes32 bankReference,uint40 deadline,bytes bankSignature)",
        "attest(uint64 accountId,uint8 stage,address attestor,uint64 upTo,bytes32 evidence,uint40 deadline,"
        "bytes signature)",
        "approve(uint64 accountId,uint8 stage,address approver,uint64 upTo,bytes32 decision,uint40 deadline,"
        "bytes signature)",
        "confirmReleased(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
        "uint40 deadline,bytes bankSignature)",
        "dispute(uint64 accountId,uint8 stage,address by,uint64 amount,bytes32 reason,uint40 deadline,bytes signature)",
        "resolve(uint64 accountId,uint8 stage,uint64 toRelease,uint64 toRefund,bytes32 reason,uint40 deadline,"
        "bytes payerSignature,bytes beneficiarySignature)",
        "resolveByQuorum(uint64 accountId,uint8 stage,uint64 toRelease,uint64 toRefund,bytes32 reason,"
        "bytes[] signatures)",
        "confirmRefunded(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
        "uint40 deadline,bytes bankSignature)",
        "confirmReturned(uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
        "uint40 deadline,bytes bankSignature)",
    ),
    "EvidenceLog": (
        "anchor(uint64 size,bytes32 root,uint64 previousSize,address operator,uint40 deadline,bytes signature)",
    ),
}

INTENTS = {
    "Enrol": "Enrolment e,uint256 nonce",
    "EnrolMany": "Enrolment[] e,uint256 nonce",
    "SetStanding": "address member,uint8 standing,bytes32 reason,uint256 nonce",
    "SetLimit": "address obligor,uint64 limit,uint256 nonce",
    "SetGroup": "address obligor,uint24 group,uint256 nonce",
    "SetGroupLimit": "uint24 group,uint16 currency,uint64 limit,uint256 nonce",
    "SetFinancierLimit": "address financier,uint16 currency,uint64 limit,uint256 nonce",
    "SetPayingBank": "address obligor,address payingBank,uint256 nonce",
    "Halt": "address obligor,bytes32 reason,uint256 nonce",
    "Cure": "address obligor,bytes32 evidence,uint256 nonce",
    "Connect": "address target,uint256 nonce",
    "SetOperators": "address[] operators,uint8 threshold,uint256 nonce",
    "RotateKey": "address member,address newKey,uint40 deadline",
    "Accept": "uint256 noteId,uint40 deadline",
    "AcceptMany": "uint256[] noteIds,uint40 deadline",
    "Refuse": "uint256 noteId,bytes32 reason,uint40 deadline",
    "Withdraw": "uint256 noteId,uint40 deadline",
    "Materialise": "uint256 massId,uint32 leaf,address to,uint64 amount,uint40 deadline",
    "FinanceAccept": "bytes32 quoteHash,bytes32 reading,uint40 deadline",
    "CompleteFinancing": "uint256 noteId,uint64 net,bytes32 registration,bytes32 bankReference,uint40 deadline",
    "SetFrozen": "uint256 noteId,bool frozenStatus,bytes32 reason,uint256 nonce",
    "ForcedTransfer": "uint256 noteId,address to,bytes32 reason,uint256 nonce",
    "ConfirmLocked": "uint64 accountId,uint64 amount,bytes32 bankReference,uint40 deadline",
    "Attest": "uint64 accountId,uint8 stage,address attestor,uint64 upTo,bytes32 evidence,uint40 deadline",
    "Approve": "uint64 accountId,uint8 stage,address approver,uint64 upTo,bytes32 decision,uint40 deadline",
    "ConfirmReleased": "uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
    "uint40 deadline",
    "Dispute": "uint64 accountId,uint8 stage,address by,uint64 amount,bytes32 reason,uint40 deadline",
    "Resolve": "uint64 accountId,uint8 stage,uint64 toRelease,uint64 toRefund,bytes32 reason,uint40 deadline",
    "ResolveByQuorum": "uint64 accountId,uint8 stage,uint64 toRelease,uint64 toRefund,bytes32 reason,uint256 nonce",
    "ConfirmRefunded": "uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
    "uint40 deadline",
    "ConfirmReturned": "uint64 accountId,uint8 stage,uint64 amount,bytes32 paymentId,bytes32 bankReference,"
    "uint40 deadline",
    "Anchor": "uint64 size,bytes32 root,uint64 previousSize,address operator,uint40 deadline",
}

CONTRACTS = ("Members", "Receivables", "EntrustedAccounts", "EvidenceLog")
