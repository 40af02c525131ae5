// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IReceivables} from "../interfaces/IReceivables.sol";
import {Notes} from "../libraries/Notes.sol";
import {Terms} from "../libraries/Terms.sol";
import {Ledger} from "./Ledger.t.sol";

/// Proved by halmos for every value of the arguments.
contract SymbolicTest is Ledger {
    uint64 private constant FACE = 1e8;
    uint256 private _root;

    function setUp() public {
        build();
        _root = issue(actors[0], FACE, 1);
        vm.prank(actors[0]);
        ledger.accept(_root, type(uint40).max, "");
    }

    /// A pass by whoever calls, of whatever amount and evidence: only the holder, and exactly what it gives.
    function check_pass_conserves(address caller, uint64 amount, bytes32 evidence, uint40 until, uint40 deadline)
        public
    {
        vm.prank(caller);
        ledger.pass(IReceivables.Pass(_root, 0, actors[1], amount, evidence, until, deadline), "");
        (address holder, uint64 got,, uint8 tier,) = ledger.noteOf(Notes.id(_root >> 192, _root, 0, evidence));
        assert(caller == actors[0]);
        assert(holder == actors[1] && got == amount && tier == 2 && amount != 0);
        assert(uint256(amountOf(_root)) + got == FACE);
    }

    /// A wrong claim, to see that the prover can refute.
    function check_wrong(uint64 amount, bytes32 evidence) public {
        vm.prank(actors[0]);
        ledger.pass(
            IReceivables.Pass(_root, 0, actors[1], amount, evidence, uint40(START + 1 days), type(uint40).max), ""
        );
        assert(amount != 31337);
    }

    /// Whoever accepts what is offered is its recipient.
    function check_accept_is_the_recipients(address caller) public {
        uint256 other = issue(actors[2], FACE, 1);
        vm.prank(caller);
        ledger.accept(other, type(uint40).max, "");
        assert(caller == actors[2]);
    }

    /// Whoever says that money came is the bank, and the debt falls by what it says.
    function check_paid_is_the_banks_word(address caller, uint64 principal, uint64 interest) public {
        vm.prank(caller);
        ledger.recordPayment(
            IReceivables.Payment(
                uint64(_root >> 192), 0, principal, interest, 0, 0, 0, 0, bytes32(uint256(1)), type(uint40).max
            ),
            ""
        );
        assert(caller == BANK);
        assert(principal == FACE && interest == 0); // before maturity: the whole of it, and no late interest
    }

    /// A note's word gives back what was put in.
    function check_note_word(address holder, uint64 amount, uint16 children, uint8 tier, uint8 flags) public pure {
        uint256 note = Notes.pack(holder, amount, children, tier, flags);
        assert(Notes.holder(note) == holder && Notes.amount(note) == amount);
        assert(Notes.children(note) == children && Notes.tier(note) == tier && Notes.flags(note) == flags);
        uint256 accepted = Notes.accepted(note);
        assert(Notes.flags(accepted) == flags & ~uint8(Notes.PENDING) && Notes.children(accepted) == 0);
        assert(Notes.holder(accepted) == holder && Notes.amount(accepted) == amount && Notes.tier(accepted) == tier);
    }

    /// Spending takes from the amount alone and counts one child.
    function check_note_spend(address holder, uint64 amount, uint16 children, uint8 tier, uint8 flags, uint64 part)
        public
        pure
    {
        vm.assume(part <= amount && children < type(uint16).max);
        uint256 note = Notes.spend(Notes.pack(holder, amount, children, tier, flags), part);
        assert(note == Notes.pack(holder, amount - part, uint256(children) + 1, tier, flags));
    }

    /// A status changes nothing else in the terms.
    function check_terms_status(uint256 terms, uint8 status) public pure {
        uint256 changed = Terms.withStatus(terms, status);
        assert(Terms.obligor(changed) == Terms.obligor(terms) && Terms.maturity(changed) == Terms.maturity(terms));
        assert(Terms.maxTier(changed) == Terms.maxTier(terms) && Terms.currency(changed) == Terms.currency(terms));
        assert(Terms.issuedHour(changed) == Terms.issuedHour(terms));
        assert(Terms.leastBits(changed) == Terms.leastBits(terms) && Terms.status(changed) == status & 127);
    }
}
