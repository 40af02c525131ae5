"""ABI codecs built once from an artifact: arguments in, results, events and custom errors out."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eth_abi.abi import decode, encode

from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.ledger.signing import canonical, checksum

Convert = Callable[[Any], Any]


def abi_type(part: Mapping[str, Any]) -> str:
    """Canonical type text of an ABI part: tuples spelled out."""
    kind: str = part["type"]
    if kind.startswith("tuple"):
        return "(" + ",".join(abi_type(inner) for inner in part["components"]) + ")" + kind[5:]
    return kind


def signature(part: Mapping[str, Any]) -> str:
    """Canonical signature of a function, event or error."""
    name: str = part["name"]
    return name + "(" + ",".join(abi_type(inner) for inner in part["inputs"]) + ")"


def _to_abi(part: Mapping[str, Any]) -> Convert | None:
    """How a Python value becomes what eth_abi encodes; None where it is taken as it is."""
    kind: str = part["type"]
    if kind.endswith("]"):
        inner = _to_abi({**part, "type": kind[: kind.rindex("[")]})
        return None if inner is None else lambda values: [inner(value) for value in values]
    if kind == "tuple":
        names = [inner["name"] for inner in part["components"]]
        each = [_to_abi(inner) for inner in part["components"]]

        def convert(value: Any) -> tuple[Any, ...]:
            if isinstance(value, Mapping):
                if len(value) != len(names) or any(name not in value for name in names):
                    fields = ", ".join(names)
                    raise Problem("ledger_bad_arguments", function=part["name"], expected=fields, detail="")
                value = [value[name] for name in names]
            return tuple(v if f is None else f(v) for v, f in zip(value, each, strict=True))

        return convert
    if kind == "address":
        return lambda value: value if isinstance(value, bytes) else canonical(value)
    if kind.startswith("bytes"):
        return lambda value: bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)
    return None


def _from_abi(part: Mapping[str, Any]) -> Convert | None:
    """How a decoded value is shown: checksummed addresses, tuples as dicts by field name."""
    kind: str = part["type"]
    if kind.endswith("]"):
        inner = _from_abi({**part, "type": kind[: kind.rindex("[")]})
        return None if inner is None else lambda values: tuple(inner(value) for value in values)
    if kind == "tuple":
        names = [inner["name"] for inner in part["components"]]
        each = [_from_abi(inner) for inner in part["components"]]
        return lambda values: {name: v if f is None else f(v) for name, v, f in zip(names, values, each, strict=True)}
    if kind == "address":
        return lambda value: checksum(bytes.fromhex(value[2:]) if isinstance(value, str) else value)
    return None


class Tuple:
    """Codec of a list of ABI parts (arguments, results, or the data of a log)."""

    def __init__(self, parts: Sequence[Mapping[str, Any]], owner: str) -> None:
        self.names = [part.get("name") or f"value{at}" for at, part in enumerate(parts)]
        self.owner = owner
        self._types = tuple(abi_type(part) for part in parts)
        self._in = [_to_abi(part) for part in parts]
        self._out = [_from_abi(part) for part in parts]
        # Plain words need no general decoder: this is most event data, and seven times faster.
        self._words = [_word_reader(kind) for kind in self._types] if all(map(_is_value, self._types)) else None

    def encode(self, args: Sequence[Any]) -> bytes:
        """ABI encoding. Raises Problem `ledger_bad_arguments`."""
        try:
            values = [v if f is None else f(v) for v, f in zip(args, self._in, strict=True)]
            return encode(self._types, values)
        except Problem:
            raise
        except Exception as error:
            raise Problem(
                "ledger_bad_arguments", function=self.owner, expected=", ".join(self.names), detail=str(error)[:200]
            ) from error

    def decode(self, data: bytes) -> list[Any]:
        """Values of ABI-encoded data. Raises Problem `ledger_bad_answer`."""
        if self._words is not None and len(data) == 32 * len(self._words):
            return [read(data[32 * at : 32 * at + 32]) for at, read in enumerate(self._words)]
        try:
            values = decode(self._types, data)
        except Exception as error:
            raise Problem("ledger_bad_answer", function=self.owner, detail=str(error)[:200]) from error
        return [v if f is None else f(v) for v, f in zip(values, self._out, strict=True)]


class Function:
    """One function of a contract."""

    def __init__(self, contract: str, part: Mapping[str, Any]) -> None:
        self.name: str = part["name"]
        self.signature = signature(part)
        self.selector = keccak(self.signature.encode())[:4]
        self.inputs = Tuple(part["inputs"], f"{contract}.{self.name}")
        self.outputs = Tuple(part["outputs"], f"{contract}.{self.name}")
        self._row: Any = None
        if len(self.outputs.names) > 1:
            self._row = namedtuple(self.name, self.outputs.names, rename=True)  # type: ignore[misc]

    def arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Positional arguments from positional and named ones. Raises Problem `ledger_bad_arguments`."""
        names = self.inputs.names
        rest = names[len(args) :]
        if len(args) > len(names) or set(kwargs) != set(rest):
            raise Problem("ledger_bad_arguments", function=self.inputs.owner, expected=", ".join(names), detail="")
        return [*args, *(kwargs[name] for name in rest)]

    def encode(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
        """Call data."""
        return self.selector + self.inputs.encode(self.arguments(args, kwargs))

    def result(self, data: bytes) -> Any:
        """None, the single value, or a named tuple of the values."""
        values = self.outputs.decode(data)
        if not values:
            return None
        return values[0] if self._row is None else self._row(*values)


class EventCodec:
    """One event of a contract: topics and data to named arguments."""

    def __init__(self, contract: str, part: Mapping[str, Any]) -> None:
        self.contract = contract
        self.name: str = part["name"]
        self.topic = keccak(signature(part).encode())
        inputs = part["inputs"]
        self._order = [item["name"] for item in inputs]
        self._indexed = [item for item in inputs if item["indexed"]]
        self._data = Tuple([item for item in inputs if not item["indexed"]], f"{contract}.{self.name}")
        self._plain = [_word_reader(item["type"]) for item in self._indexed]

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """Arguments by name, in the order of the declaration. Dynamic indexed arguments stay hashes."""
        found: dict[str, Any] = {}
        for item, plain, topic in zip(self._indexed, self._plain, topics[1:], strict=True):
            found[item["name"]] = plain(topic)
        found.update(zip(self._data.names, self._data.decode(data), strict=True))
        return {name: found[name] for name in self._order}


class ErrorCodec:
    """One custom error."""

    def __init__(self, part: Mapping[str, Any]) -> None:
        self.name: str = part["name"]
        self.signature = signature(part)
        self.selector = keccak(self.signature.encode())[:4]
        self._inputs = Tuple(part["inputs"], self.name)
        self.names = self._inputs.names

    def decode(self, data: bytes) -> dict[str, Any]:
        """Arguments by name."""
        return dict(zip(self._inputs.names, self._inputs.decode(data), strict=True))


def _is_value(kind: str) -> bool:
    return not (kind.endswith("]") or kind in ("string", "bytes") or kind.startswith(("tuple", "(")))


def _word_reader(kind: str) -> Convert:
    if kind == "address":
        return lambda word: checksum(word[12:])
    if kind == "bool":
        return lambda word: word[31] == 1
    if kind.startswith("uint"):
        return lambda word: int.from_bytes(word, "big")
    if kind.startswith("int"):
        return lambda word: int.from_bytes(word, "big", signed=True)
    if kind.startswith("bytes") and kind != "bytes":
        size = int(kind[5:])
        return lambda word: word[:size]
    return lambda word: word
