// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Members} from "../Members.sol";
import {Receivables} from "../Receivables.sol";
import {EntrustedAccounts} from "../EntrustedAccounts.sol";
import {IMembers} from "../interfaces/IMembers.sol";
import {IReceivables} from "../interfaces/IReceivables.sol";
import {Notes} from "../libraries/Notes.sol";
import {Roles} from "../libraries/Roles.sol";
import {SumTree} from "../libraries/SumTree.sol";

/// The cheat codes that we use; forge and halmos answer at this address.
interface Vm {
    function prank(address) external;
    function warp(uint256) external;
    function assume(bool) external pure;
}

/// ERC-1271 key that says yes to everything, so that proofs need no signatures; who may act is the other tests' matter.
contract Nodding {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0x1626ba7e;
    }
}

/// Contracts connected, and a cast whose keys are callers.
abstract contract Ledger {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 internal constant START = 1_800_000_000;

    address internal constant CORE = address(0xC0);
    address internal constant BANK = address(0xB0);
    address internal constant FINANCIER = address(0xF0);

    Members internal members;
    Receivables internal ledger;
    Nodding private _operator;
    address[] internal actors;
    uint256 internal documents;

    function build() internal {
        vm.warp(START);
        _operator = new Nodding();
        Nodding other = new Nodding();
        address[] memory operators = new address[](2);
        (operators[0], operators[1]) = address(_operator) < address(other)
            ? (address(_operator), address(other))
            : (address(other), address(_operator));
        members = new Members(operators, 2);
        ledger = new Receivables(address(members));
        members.connect(address(ledger), quorum());
        enrol(BANK, 1, Roles.BANK, 0, address(0));
        enrol(CORE, 2, Roles.OBLIGOR, type(uint64).max / 2, BANK);
        enrol(FINANCIER, 3, Roles.FINANCIER, 0, address(0));
        for (uint32 i; i < 4; ++i) {
            actors.push(address(uint160(0xA000 + i)));
            enrol(actors[i], 10 + i, Roles.SUPPLIER, 0, address(0));
        }
        actors.push(FINANCIER);
    }

    /// Two operators that nod, in order.
    function quorum() internal view returns (bytes[] memory signatures) {
        address[] memory operators = members.operatorList();
        signatures = new bytes[](2);
        signatures[0] = abi.encodePacked(operators[0], new bytes(46));
        signatures[1] = abi.encodePacked(operators[1], new bytes(46));
    }

    function enrol(address who, uint32 organisation, uint32 roles, uint64 limit, address bank) internal {
        members.enrol(IMembers.Enrolment(who, who, organisation, roles, limit, bank, bytes32(0)), quorum());
    }

    function issue(address to, uint64 face, uint48 least) internal returns (uint256) {
        bytes32 document = bytes32(++documents);
        vm.prank(CORE);
        return ledger.issue(
            IReceivables.Issue(
                CORE,
                to,
                face,
                156,
                uint40(START + 90 days),
                8,
                least,
                document,
                document,
                uint40(START + 30 days),
                type(uint40).max
            ),
            ""
        );
    }

    function path(uint256 parent, uint256 index) internal pure returns (uint256) {
        return Notes.id(parent >> 192, parent, index, bytes32(index));
    }

    function amountOf(uint256 note) internal view returns (uint64 amount) {
        (, amount,,,) = ledger.noteOf(note);
    }

    function childrenOf(uint256 note) internal view returns (uint16 children) {
        uint8 flags;
        (,, children,, flags) = ledger.noteOf(note);
        if (flags & uint8(Notes.PENDING) != 0) children = 0;
    }
}
