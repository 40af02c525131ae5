// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Receivables: terms and notes of debts that can be split to the cent and passed down tier by tier.
/// @notice A note is a tree node in one slot: holder 160 | amount 64 | children 16 | tier 8 | flags 8.
/// noteId = receivableId << 192 | uint192(keccak256(abi.encode(parentId, childIndex, evidence))); a root note has
/// parentId 0, childIndex 0 and evidence = document. Ids never change owner.
/// While a note is offered or locked its `children` field holds the deadline in whole hours after the hour of issue.
/// Every act takes the party's EIP-712 signature; an empty signature means msg.sender is the party's key.
/// Value: for each receivable, held + offered + locked + settled = face.
interface IReceivables {
    struct Issue {
        address obligor;
        address creditor;
        uint64 face;
        uint16 currency; // ISO 4217 numeric
        uint40 maturity; // unix seconds
        uint8 maxTier;
        uint48 minAmount; // smallest note in minor units
        bytes32 fingerprint; // keyed tag of the invoice; one receivable a tag
        bytes32 document; // salted commitment to the trade documents
        uint40 offerUntil; // whole hours
        uint40 deadline; // of this signature
    }

    struct Pass {
        uint256 parentId;
        uint16 childIndex;
        address to;
        uint64 amount;
        bytes32 evidence;
        uint40 offerUntil;
        uint40 deadline;
    }

    struct PassMany {
        uint256 parentId;
        uint16 childIndex; // index of the first child
        address[] to;
        uint64[] amounts;
        bytes32[] evidence;
        uint40 offerUntil;
        uint40 deadline;
    }

    /// @param root node of a Merkle sum tree: uint192 hash << 64 | uint64 sum
    struct MassPass {
        uint256 parentId;
        uint16 childIndex;
        uint256 root;
        uint32 count;
        bytes32 evidence;
        uint40 offerUntil;
        uint40 deadline;
    }

    /// @notice A financier's firm price: net + discount + fees = amount.
    struct Quote {
        uint256 parentId;
        address financier;
        address payingBank;
        uint64 amount;
        uint64 net;
        uint64 discount;
        uint64 fees;
        uint32 aprPpm; // all-in APR in parts per million
        bool recourse;
        bytes32 terms; // hash of the full text shown
        bytes32 evidence;
        uint64 entrustedAccount; // 0 = paid to the holder's own account
        uint40 lockUntil; // whole hours
        uint40 expiry;
    }

    /// @notice What the paying bank saw arrive. Shares are pro rata by largest remainder: a note gets one unit more
    /// when its remainder is above the cut, or equal to it and its id not above `…CutNote`.
    struct Payment {
        uint64 receivableId;
        uint16 round; // 0, 1, 2 …
        uint64 principal;
        uint64 interest;
        uint64 principalCut;
        uint256 principalCutNote;
        uint64 interestCut;
        uint256 interestCutNote;
        bytes32 bankReference;
        uint40 deadline;
    }

    event Issued(
        uint64 indexed receivableId,
        address indexed obligor,
        address indexed creditor,
        uint256 noteId,
        uint64 face,
        uint16 currency,
        uint40 maturity,
        uint8 maxTier,
        uint48 minAmount,
        bytes32 fingerprint,
        bytes32 document,
        uint40 offerUntil
    );
    event Accepted(uint256 indexed noteId, address indexed holder);
    event Passed(
        uint256 indexed parentId,
        uint256 indexed noteId,
        address indexed to,
        uint16 childIndex,
        uint64 amount,
        bytes32 evidence,
        uint40 offerUntil
    );
    /// @param cause 1 refused, 2 withdrawn, 3 lapsed
    event Returned(uint256 indexed parentId, uint256 indexed noteId, uint64 amount, uint8 cause, bytes32 reason);
    event MassPassed(
        uint256 indexed parentId,
        uint256 indexed massId,
        uint16 childIndex,
        uint256 root,
        uint32 count,
        bytes32 evidence,
        uint40 offerUntil
    );
    event Materialised(uint256 indexed massId, uint256 indexed noteId, address indexed to, uint32 leaf, uint64 amount);
    event FinancingLocked(
        uint256 indexed parentId,
        uint256 indexed noteId,
        address indexed financier,
        uint16 childIndex,
        bytes32 quoteHash,
        Quote quote,
        bytes32 reading
    );
    event FinancingCompleted(uint256 indexed noteId, uint64 net, bytes32 registration, bytes32 bankReference);
    event PaymentRecorded(
        uint64 indexed receivableId,
        uint16 indexed round,
        address indexed bank,
        uint64 principal,
        uint64 interest,
        uint64 outstanding, // after this payment
        bytes32 bankReference
    );
    event Settled(
        uint256 indexed noteId, address indexed payee, uint16 indexed round, uint64 principal, uint64 interest
    );
    event SettlementHeld(uint256 indexed noteId);
    event Closed(uint64 indexed receivableId);
    event Frozen(address indexed account, uint256 indexed tokenId, bool indexed frozenStatus, bytes32 reason);
    event ForcedTransfer(
        address indexed from, address indexed to, uint256 indexed tokenId, uint256 noteId, bytes32 reason
    );

    /// @notice The obligor promises to pay; the debt is an offer until its creditor accepts. A fingerprint freed by a
    /// cancelled offer takes only a signature with a later deadline than any before.
    function issue(Issue calldata intent, bytes calldata signature) external returns (uint256 noteId);
    /// @notice The recipient of an offer takes it; the root's acceptance makes the receivable live.
    function accept(uint256 noteId, uint40 deadline, bytes calldata signature) external;
    /// @notice One signature takes several offers to the same holder.
    function acceptMany(uint256[] calldata noteIds, uint40 deadline, bytes calldata signature) external;
    /// @notice The recipient refuses; path = (parentId, childIndex, evidence) proves where the value returns to.
    function refuse(
        uint64 receivableId,
        uint256 parentId,
        uint256 childIndex,
        bytes32 evidence,
        bytes32 reason,
        uint40 deadline,
        bytes calldata signature
    ) external;
    /// @notice The giver takes an offer back before it is accepted; the obligor, that of the whole receivable.
    function withdraw(
        uint64 receivableId,
        uint256 parentId,
        uint256 childIndex,
        bytes32 evidence,
        uint40 deadline,
        bytes calldata signature
    ) external;
    /// @notice Anyone, after the offer's, the lock's or the mass pass's deadline.
    function lapse(uint64 receivableId, uint256 parentId, uint256 childIndex, bytes32 evidence) external;
    /// @notice The holder passes an amount to another member, as an offer; to itself, at once. Acting on an offer
    /// accepts it.
    function pass(Pass calldata intent, bytes calldata signature) external returns (uint256 noteId);
    /// @notice The holder passes to several members in one act.
    function passMany(PassMany calldata intent, bytes calldata signature) external;
    /// @notice The holder commits a sum to up to 131,072 recipients by the root of a Merkle sum tree.
    function passMass(MassPass calldata intent, bytes calldata signature) external returns (uint256 massId);
    /// @notice A recipient takes its leaf of a mass pass, before the deadline, as a note of its own.
    function materialise(
        uint256 massId,
        uint32 leaf,
        address to,
        uint64 amount,
        uint256[] calldata proof,
        uint40 deadline,
        bytes calldata signature
    ) external returns (uint256 noteId);
    /// @notice The holder accepts a financier's signed quote: the amount is locked for that financier until
    /// `lockUntil`.
    function finance(
        Quote calldata quote,
        bytes calldata financierSignature,
        bytes32 reading,
        uint40 deadline,
        bytes calldata holderSignature
    ) external returns (uint256 noteId);
    /// @notice The quoted bank attests that it paid the agreed net: the locked note becomes the financier's.
    function completeFinancing(
        uint256 noteId,
        uint64 net,
        bytes32 registration,
        bytes32 bankReference,
        uint40 deadline,
        bytes calldata bankSignature
    ) external;
    /// @notice The obligor's paying bank attests what arrived; in part or with late interest only from maturity on, in full
    /// at any time.
    function recordPayment(Payment calldata payment, bytes calldata bankSignature) external;
    /// @notice Anyone, after a recorded payment. A frozen note is skipped with SettlementHeld; offered or locked notes revert.
    function settleMany(uint64 receivableId, uint16 round, uint256[] calldata noteIds) external;
    /// @notice A note still offered or locked when its receivable is paid is settled to the giver.
    function settleOffered(uint64 receivableId, uint16 round, uint256 parentId, uint256 childIndex, bytes32 evidence)
        external;
    // Court order: operator quorum; names of ERC-7943.
    /// @notice Operators freeze or free one note by order of a court, whose reason's hash stays in the event.
    function setFrozenTokens(uint256 noteId, bool frozenStatus, bytes32 reason, bytes[] calldata signatures) external;
    /// @notice Operators move a whole accepted note to another member by order of a court.
    function forcedTransfer(uint256 noteId, address to, bytes32 reason, bytes[] calldata signatures)
        external
        returns (uint256 childId);

    // Pushed by Members alone.
    /// @notice `Members` alone: the word of a member.
    function setMember(address member, uint256 word) external;

    /// @notice `Members` alone, on anybody's report: marks a receivable that is unpaid after its maturity, once.
    function flagOverdue(uint64 receivableId) external returns (address obligor);

    // Views; ERC-3525's words, without claiming its conformance.
    /// @notice Holder of a note; zero for none.
    function ownerOf(uint256 noteId) external view returns (address);
    /// @notice The receivable a note belongs to.
    function slotOf(uint256 noteId) external pure returns (uint256);
    /// @notice Amount of a note in minor units.
    function balanceOf(uint256 noteId) external view returns (uint256);
    /// @notice Decimals of an amount as most currencies write it.
    function valueDecimals() external pure returns (uint8);
    /// @notice All fields of a note.
    function noteOf(uint256 noteId)
        external
        view
        returns (address holder, uint64 amount, uint16 children, uint8 tier, uint8 flags);
    /// @notice All terms of a receivable.
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
        );
    /// @notice The id that this path gives.
    function noteIdOf(uint64 receivableId, uint256 parentId, uint256 childIndex, bytes32 evidence)
        external
        pure
        returns (uint256);
    /// @notice The receivable of a fingerprint; 0 for none or a cancelled one.
    function receivableOf(bytes32 fingerprint) external view returns (uint64);
    /// @notice Whether a live receivable is unpaid after its maturity.
    function isOverdue(uint64 receivableId) external view returns (bool);
    /// @notice One payment round: what came in, what it was shared over, and what is not yet handed on.
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
        );
    /// @notice The number of partial rounds this note has been settled in.
    function settledRoundsOf(uint256 noteId) external view returns (uint256);
    /// @notice What a financing lock waits for: the bank that attests, and the net amount agreed.
    function lockOf(uint256 noteId) external view returns (address payingBank, uint64 net);
    /// @notice Whether this quote has been accepted.
    function isQuoteUsed(bytes32 quoteHash) external view returns (bool);
    /// @notice Whether this bank has used this reference here.
    function isReferenceUsed(address bank, bytes32 bankReference) external view returns (bool);
    /// @notice The nonce that the next act of the operators must carry.
    function quorumNonce() external view returns (uint256);
    /// @notice How many receivables were issued; ids count from 1.
    function receivableCount() external view returns (uint64);
}
