"""The plain stack operations of the EVM on Python integers (Yellow Paper, appendix H): only the stack changes."""

from __future__ import annotations

from collections.abc import Callable

_MAX = 2**256 - 1
_SIGN = 2**255

Plain = Callable[[list[int]], None]


def _add(stack: list[int]) -> None:
    stack[-1] = (stack.pop() + stack[-1]) & _MAX


def _mul(stack: list[int]) -> None:
    stack[-1] = (stack.pop() * stack[-1]) & _MAX


def _sub(stack: list[int]) -> None:
    stack[-1] = (stack.pop() - stack[-1]) & _MAX


def _div(stack: list[int]) -> None:
    numerator = stack.pop()
    stack[-1] = numerator // stack[-1] if stack[-1] else 0


def _mod(stack: list[int]) -> None:
    number = stack.pop()
    stack[-1] = number % stack[-1] if stack[-1] else 0


def _lt(stack: list[int]) -> None:
    stack[-1] = 1 if stack.pop() < stack[-1] else 0


def _gt(stack: list[int]) -> None:
    stack[-1] = 1 if stack.pop() > stack[-1] else 0


def _slt(stack: list[int]) -> None:
    stack[-1] = 1 if stack.pop() ^ _SIGN < stack[-1] ^ _SIGN else 0


def _sgt(stack: list[int]) -> None:
    stack[-1] = 1 if stack.pop() ^ _SIGN > stack[-1] ^ _SIGN else 0


def _eq(stack: list[int]) -> None:
    stack[-1] = 1 if stack.pop() == stack[-1] else 0


def _iszero(stack: list[int]) -> None:
    stack[-1] = 0 if stack[-1] else 1


def _and(stack: list[int]) -> None:
    stack[-1] = stack.pop() & stack[-1]


def _or(stack: list[int]) -> None:
    stack[-1] = stack.pop() | stack[-1]


def _xor(stack: list[int]) -> None:
    stack[-1] = stack.pop() ^ stack[-1]


def _not(stack: list[int]) -> None:
    stack[-1] ^= _MAX


def _byte(stack: list[int]) -> None:
    place = stack.pop()
    stack[-1] = stack[-1] >> 8 * (31 - place) & 0xFF if place < 32 else 0


def _shl(stack: list[int]) -> None:
    shift = stack.pop()
    stack[-1] = (stack[-1] << shift) & _MAX if shift < 256 else 0


def _shr(stack: list[int]) -> None:
    shift = stack.pop()
    stack[-1] = stack[-1] >> shift if shift < 256 else 0


PLAIN_OPERATIONS: dict[int, tuple[Plain, int, int]] = {
    0x01: (_add, 3, -1),
    0x02: (_mul, 5, -1),
    0x03: (_sub, 3, -1),
    0x04: (_div, 5, -1),
    0x06: (_mod, 5, -1),
    0x10: (_lt, 3, -1),
    0x11: (_gt, 3, -1),
    0x12: (_slt, 3, -1),
    0x13: (_sgt, 3, -1),
    0x14: (_eq, 3, -1),
    0x15: (_iszero, 3, 0),
    0x16: (_and, 3, -1),
    0x17: (_or, 3, -1),
    0x18: (_xor, 3, -1),
    0x19: (_not, 3, 0),
    0x1A: (_byte, 3, -1),
    0x1B: (_shl, 3, -1),
    0x1C: (_shr, 3, -1),
}
"""Operation, gas (Yellow Paper, appendix G) and stack growth by opcode."""
