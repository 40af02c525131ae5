// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IReceivables} from "../interfaces/IReceivables.sol";
import {Notes} from "../libraries/Notes.sol";
import {Shares} from "../libraries/Shares.sol";
import {SumTree} from "../libraries/SumTree.sol";
import {Ledger} from "./Ledger.t.sol";

/// Bounded random walk over the acts; forge calls it in any order with any arguments.
contract Walker is Ledger {
    uint256[] public ids;
    mapping(uint256 note => uint256) public parentOf;
    mapping(uint256 note => uint256) public indexOf;
    uint64 public receivables;
    mapping(uint64 receivable => uint256) public settled;
    uint256 private _references;

    constructor() {
        build();
    }

    function count() external view returns (uint256) {
        return ids.length;
    }

    function faceOf(uint64 receivable)
        external
        view
        returns (uint64 face, uint64 outstanding, uint64 paid, uint8 status)
    {
        (,,, status,, face, outstanding, paid,,) = ledger.termsOf(receivable);
    }

    function noteAmount(uint256 note) external view returns (uint64) {
        return amountOf(note);
    }

    function exposure() external view returns (uint64 limit, uint64 used) {
        return members.exposureOf(CORE);
    }

    function newDebt(uint64 face, uint8 to) external {
        if (receivables == 4) return;
        ids.push(issue(actors[to % actors.length], face % 1e12 + 1, 0));
        receivables++;
    }

    function accept(uint256 which) external {
        uint256 id = _pick(which);
        vm.prank(ledger.ownerOf(id));
        ledger.accept(id, type(uint40).max, "");
    }

    function passOn(uint256 which, uint8 to, uint64 amount, bool whole) external {
        uint256 id = _pick(which);
        uint16 index = childrenOf(id);
        uint64 have = amountOf(id);
        if (!whole) amount = have == 0 ? amount : amount % have + 1;
        else amount = have;
        vm.prank(ledger.ownerOf(id));
        ledger.pass(
            IReceivables.Pass(
                id, index, actors[to % actors.length], amount, bytes32(uint256(index)), _until(), type(uint40).max
            ),
            ""
        );
        _add(id, index);
    }

    function passTree(uint256 which, uint64 amount, uint8 to) external {
        uint256 id = _pick(which);
        uint16 index = childrenOf(id);
        amount = amount % (amountOf(id) + 1);
        address recipient = actors[to % actors.length];
        uint256 root = SumTree.leaf(0, 0, recipient, amount);
        vm.prank(ledger.ownerOf(id));
        uint256 mass = ledger.passMass(
            IReceivables.MassPass(id, index, root, 1, bytes32(uint256(index)), _until(), type(uint40).max), ""
        );
        _add(id, index);
        vm.prank(recipient);
        ids.push(ledger.materialise(mass, 0, recipient, amount, new uint256[](0), type(uint40).max, ""));
    }

    function giveBack(uint256 which, uint8 way) external {
        uint256 id = _pick(which);
        (uint64 r, uint256 parent, uint256 index) = (uint64(id >> 192), parentOf[id], indexOf[id]);
        bytes32 evidence = parent == 0 ? bytes32(uint256(r)) : bytes32(index);
        if (way % 3 == 0) {
            ledger.lapse(r, parent, index, evidence);
        } else if (way % 3 == 1) {
            vm.prank(ledger.ownerOf(id));
            ledger.refuse(r, parent, index, evidence, bytes32(0), type(uint40).max, "");
        } else {
            address giver = parent == 0 ? CORE : ledger.ownerOf(parent);
            vm.prank(giver);
            ledger.withdraw(r, parent, index, evidence, type(uint40).max, "");
        }
    }

    function freeze(uint256 which, bool on) external {
        ledger.setFrozenTokens(_pick(which), on, bytes32(uint256(1)), quorum());
    }

    function force(uint256 which, uint8 to) external {
        uint256 id = _pick(which);
        uint16 index = childrenOf(id);
        ids.push(ledger.forcedTransfer(id, actors[to % actors.length], bytes32(uint256(index)), quorum()));
    }

    function pay(uint64 receivable, uint64 part, uint64 interest, uint64 cut, uint256 cutNote) external {
        receivable = receivable % (receivables + 1);
        (, uint40 maturity,,,,, uint64 outstanding,,, uint16 round) = ledger.termsOf(receivable);
        part = block.timestamp < maturity ? outstanding : part % (outstanding + 1);
        vm.prank(BANK);
        ledger.recordPayment(
            IReceivables.Payment(
                receivable,
                round,
                part,
                block.timestamp < maturity ? 0 : interest % 1000,
                cut,
                cutNote,
                cut,
                cutNote,
                bytes32(++_references),
                type(uint40).max
            ),
            ""
        );
    }

    /// Settles whatever note comes, alone, in whatever round.
    function settle(uint256 which, uint16 round) external {
        uint256 id = _pick(which);
        uint64 r = uint64(id >> 192);
        (,,,,,,,,, uint16 rounds) = ledger.termsOf(r);
        if (rounds == 0) return;
        uint64 before = amountOf(id);
        (,,,, uint8 flags) = ledger.noteOf(id);
        if (flags & uint8(Notes.PENDING) != 0) {
            ledger.settleOffered(r, round % rounds, parentOf[id], indexOf[id], bytes32(indexOf[id]));
        } else {
            uint256[] memory one = new uint256[](1);
            one[0] = id;
            ledger.settleMany(r, round % rounds, one);
        }
        settled[r] += before - amountOf(id);
    }

    function wait_(uint24 time) external {
        vm.warp(block.timestamp + time);
    }

    function undistributed(uint64 receivable) external view returns (uint256 sum) {
        (,,,,,,,,, uint16 rounds) = ledger.termsOf(receivable);
        for (uint16 i; i < rounds; ++i) {
            (,,,, uint64 left,) = ledger.roundOf(receivable, i);
            sum += left;
        }
    }

    function _pick(uint256 which) private view returns (uint256) {
        return ids.length == 0 ? 0 : ids[which % ids.length];
    }

    function _until() private view returns (uint40) {
        return uint40(block.timestamp / 1 hours * 1 hours + 12 hours);
    }

    function _add(uint256 parent, uint256 index) private {
        uint256 id = path(parent, index);
        ids.push(id);
        (parentOf[id], indexOf[id]) = (parent, index);
    }
}

/// What holds after every act, whatever came before.
contract InvariantsTest {
    Walker private _walker;

    function setUp() public {
        _walker = new Walker();
    }

    function targetContracts() public view returns (address[] memory found) {
        found = new address[](1);
        found[0] = address(_walker);
    }

    /// I1, I3: notes hold what is owed and what is paid but not yet handed on; nothing more was settled than paid.
    function invariant_value_is_conserved() public view {
        uint64 receivables = _walker.receivables();
        uint256[] memory held = new uint256[](receivables + 1);
        for (uint256 i; i < _walker.count(); ++i) {
            uint256 id = _walker.ids(i);
            held[id >> 192] += _walker.noteAmount(id);
        }
        uint256 owed;
        for (uint64 r = 1; r <= receivables; ++r) {
            (uint64 face, uint64 outstanding, uint64 paid, uint8 status) = _walker.faceOf(r);
            owed += outstanding;
            if (status == 4) {
                require(held[r] == 0 && outstanding == 0 && paid == 0, "a cancelled debt leaves nothing");
                continue;
            }
            require(uint256(outstanding) + paid == face, "face = outstanding + paid");
            require(held[r] + _walker.settled(r) == face, "face = held + settled");
            require(held[r] == outstanding + _walker.undistributed(r), "held = outstanding + not yet handed on");
        }
        (uint64 limit, uint64 used) = _walker.exposure();
        require(used == owed && used <= limit, "used = owed <= limit");
    }

    /// I3: a share is its floor or one unit more, and never above the note's own amount.
    function testFuzz_share_is_floor_or_one_more(
        uint64 amount,
        uint64 pot,
        uint64 base,
        uint64 cut,
        uint256 note,
        uint256 last
    ) public pure {
        if (base == 0) base = 1;
        (amount, pot) = (amount % (base / 2 + 1), pot % (base / 2 + 1));
        uint256 share = Shares.share(amount, pot, base, cut, last, note);
        uint256 product = uint256(amount) * pot;
        require(share == product / base || (share == product / base + 1 && product % base != 0), "a unit too much");
        require(share <= amount, "more than the note");
    }
}
