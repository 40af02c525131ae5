// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title EntrustedAccounts: who may instruct which payment out of a locked bank account, on evidence of what.
/// @notice Mirrors a real bank account; holds no money. locked = released + refunded + held at every instant.
interface IEntrustedAccounts {
    struct Stage {
        address payee; // must be a member; the contract's counterparty
        bytes32 payeeAccount; // salted commitment to the payee's bank account
        uint64 amount;
        bytes32 rule; // hash of the evidence rule in words and data
        uint40 deadline; // unreleased value is refundable from here on
    }

    struct Opening {
        address payer; // whose money it is if nothing is released (financier or buyer)
        address beneficiary; // for whom it is locked (the borrower or seller)
        address bank; // executes and confirms
        uint16 currency;
        bytes32 account; // salted commitment to the bank account number
        bytes32 purpose; // hash of the agreed use
        bytes32 consent; // hash of the beneficiary's consent text
        Stage[] stages; // 1 to 16
        address[] attestors; // 2 to 8, none of the beneficiary's or a payee's organisation
        address[] approvers; // 2 to 8, none of the beneficiary's or a payee's organisation
        bytes32 salt;
        uint40 deadline;
    }

    event Opened(
        uint64 indexed accountId,
        address indexed payer,
        address indexed beneficiary,
        address bank,
        uint16 currency,
        uint64 amount,
        bytes32 account,
        bytes32 purpose,
        bytes32 consent
    );
    event StageSet(
        uint64 indexed accountId,
        uint8 indexed stage,
        address indexed payee,
        bytes32 payeeAccount,
        uint64 amount,
        bytes32 rule,
        uint40 deadline
    );
    event DutyGiven(uint64 indexed accountId, address indexed who, uint8 duty); // 1 attestor, 2 approver, 3 both forbidden
    event FundsLocked(uint64 indexed accountId, uint64 amount, bytes32 bankReference);
    event EvidenceAttested(
        uint64 indexed accountId,
        uint8 indexed stage,
        address indexed attestor,
        uint64 upTo, // cumulative value the evidence supports
        bytes32 evidence
    );
    event ReleaseApproved(
        uint64 indexed accountId, uint8 indexed stage, address indexed approver, uint64 upTo, bytes32 decision
    );
    event ReleaseExecuted(
        uint64 indexed accountId, uint8 indexed stage, uint64 amount, bytes32 paymentId, bytes32 bankReference
    );
    event Disputed(uint64 indexed accountId, uint8 indexed stage, address indexed by, uint64 amount, bytes32 reason);
    event DisputeResolved(
        uint64 indexed accountId, uint8 indexed stage, uint64 toRelease, uint64 toRefund, bytes32 reason
    );
    event RefundExecuted(
        uint64 indexed accountId, uint8 indexed stage, uint64 amount, bytes32 paymentId, bytes32 bankReference
    );
    event PaymentReturned(
        uint64 indexed accountId, uint8 indexed stage, uint64 amount, bytes32 paymentId, bytes32 bankReference
    );

    /// @notice Payer and beneficiary both sign the opening.
    function open(Opening calldata opening, bytes calldata payerSignature, bytes calldata beneficiarySignature)
        external
        returns (uint64 accountId);
    /// @notice The bank saw the whole amount arrive in the locked account.
    function confirmLocked(
        uint64 accountId,
        uint64 amount,
        bytes32 bankReference,
        uint40 deadline,
        bytes calldata bankSignature
    ) external;
    /// @notice An attestor says up to which cumulative amount of a stage its evidence reaches; only more, and only
    /// before the stage's deadline.
    function attest(
        uint64 accountId,
        uint8 stage,
        address attestor,
        uint64 upTo,
        bytes32 evidence,
        uint40 deadline,
        bytes calldata signature
    ) external;
    /// @notice An approver says up to which cumulative amount of a stage it agrees; only more, and only before the
    /// stage's deadline.
    function approve(
        uint64 accountId,
        uint8 stage,
        address approver,
        uint64 upTo,
        bytes32 decision,
        uint40 deadline,
        bytes calldata signature
    ) external;
    /// @notice The bank executed one release; amount may not exceed `releasable`. A payment id and a bank reference work once.
    function confirmReleased(
        uint64 accountId,
        uint8 stage,
        uint64 amount,
        bytes32 paymentId,
        bytes32 bankReference,
        uint40 deadline,
        bytes calldata bankSignature
    ) external;
    /// @notice Payer, beneficiary or the stage's payee holds `amount` of one stage; the rest goes on.
    function dispute(
        uint64 accountId,
        uint8 stage,
        address by,
        uint64 amount,
        bytes32 reason,
        uint40 deadline,
        bytes calldata signature
    ) external;
    /// @notice Payer and beneficiary agree, or the operator quorum decides after a court or arbiter.
    function resolve(
        uint64 accountId,
        uint8 stage,
        uint64 toRelease,
        uint64 toRefund,
        bytes32 reason,
        uint40 deadline,
        bytes calldata payerSignature,
        bytes calldata beneficiarySignature
    ) external;
    /// @notice The operators decide about disputed value after a court or an arbiter did.
    function resolveByQuorum(
        uint64 accountId,
        uint8 stage,
        uint64 toRelease,
        uint64 toRefund,
        bytes32 reason,
        bytes[] calldata signatures
    ) external;
    /// @notice The bank paid back to the payer what is refundable.
    function confirmRefunded(
        uint64 accountId,
        uint8 stage,
        uint64 amount,
        bytes32 paymentId,
        bytes32 bankReference,
        uint40 deadline,
        bytes calldata bankSignature
    ) external;

    /// @notice A payment that was confirmed came back. A release's money is held as in dispute, until payer and
    /// beneficiary (or the operators) agree to pay it again or back; a refund's stays owed to the payer.
    function confirmReturned(
        uint64 accountId,
        uint8 stage,
        uint64 amount,
        bytes32 paymentId, // of the payment that came back
        bytes32 bankReference, // of the line that brought it
        uint40 deadline,
        bytes calldata bankSignature
    ) external;

    /// @notice `Members` alone: the word of a member.
    function setMember(address member, uint256 word) external;

    /// @notice Value that evidence of two organisations and two approvals allow, less what was released or is disputed.
    function releasable(uint64 accountId, uint8 stage) external view returns (uint64);
    /// @notice Value the payer may have back: after the stage's deadline, or by resolution.
    function refundable(uint64 accountId, uint8 stage) external view returns (uint64);
    /// @notice All about one stage.
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
        );
    /// @notice All about one account.
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
        );
    /// @notice 1 attestor, 2 approver, 0 neither.
    function dutyOf(uint64 accountId, address who) external view returns (uint8);
    /// @notice The cumulative value this attestor or approver has supported.
    function upToOf(uint64 accountId, uint8 stage, address who) external view returns (uint64);
    /// @notice Disputed value that a decision let go or sent back, not yet executed by the bank.
    function grantedOf(uint64 accountId, uint8 stage) external view returns (uint64 toRelease, uint64 toRefund);
    /// @notice Whether this bank has used this payment id here.
    function isPaymentUsed(address bank, bytes32 paymentId) external view returns (bool);
    /// @notice Whether this bank has used this reference here.
    function isReferenceUsed(address bank, bytes32 bankReference) external view returns (bool);
    /// @notice How many accounts were opened; ids count from 1.
    function accountCount() external view returns (uint64);
    /// @notice The nonce that the next act of the operators must carry.
    function quorumNonce() external view returns (uint256);
}
