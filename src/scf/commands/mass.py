"""`scf mass …`: pass parts of a note to everybody on a list, see how far it went, take a share, take the rest back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scf import terminal
from scf.kernel.problems import Problem

if TYPE_CHECKING:
    from scf.api.access import Caller
    from scf.api.act_kinds import Ready, SignedAct
    from scf.app import App

app = typer.Typer(no_args_is_help=True, help="Mass passes: one note to thousands of recipients in one act.")
Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")]
Note = Annotated[str, typer.Argument(help="Id of the note, 0x and 64 hexadecimal digits.")]
Keys = Annotated[
    list[str] | None, typer.Option("--key", help="Name of a key in the key ring that signs; two for two people.")
]
DEFAULT_DATA = Path("data")


@app.command()
def prepare(
    note: Note,
    recipients: Annotated[Path, typer.Argument(help="CSV with the columns `recipient` and `amount`.")],
    evidence: Annotated[list[str], typer.Option("--evidence", help="Id of a document on file; may be repeated.")],
    out: Annotated[Path, typer.Option("--out", help="File for what is to be signed.")],
    fact: Annotated[
        list[str] | None, typer.Option("--fact", help="What the documents show, e.g. delivered_on=2026-03-01.")
    ] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Check and file the list and write what the holder signs; nothing moves yet.

    The file goes to `scf keys sign` or any EIP-712 signer, then to `scf mass send`.
    """
    from scf.api.acts import SIGNED

    body = _body(SIGNED["mass_pass"], {"note": note, "list": _text(recipients), "evidence": evidence, **_facts(fact)})
    with _opened(data) as installation, terminal.progress() as bar:
        bar.add_task("Checking and filing the list", total=None)
        ready = _prepared(installation, "mass_pass", note, body)
    out.write_text(json.dumps(_file("mass_pass", note, ready), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    terminal.say(ready.prepared.summary["en"], ready.prepared.summary["zh-CN"])
    terminal.say(f"Sign {out} and send it: scf mass send {out}", f"请签名 {out}，然后发送：scf mass send {out}")


@app.command()
def send(
    file: Annotated[Path, typer.Argument(help="What `scf mass prepare` wrote.")],
    signature: Annotated[
        list[str] | None, typer.Option("--signature", help="0x signature, as `scf keys sign` prints it.")
    ] = None,
    key: Keys = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Send a signed mass pass to the ledger, once; everybody on the list is told with it."""
    from scf.api.acts import SIGNED

    content = _read_file(file)
    with _opened(data) as installation, terminal.progress() as bar:
        bar.add_task("On the ledger, and every recipient told", total=None)
        signatures = _signatures(installation, content, signature, key)
        reply = _submitted(installation, SIGNED[content["act"]], content, signatures)
    terminal.say(
        f"Passed: note {reply['note']}, block {reply['block']}. See: scf mass progress {reply['note']}",
        f"已流转：凭证 {reply['note']}，区块 {reply['block']}。查看进度：scf mass progress {reply['note']}",
    )


@app.command()
def progress(
    note: Note,
    data: Data = DEFAULT_DATA,
    recipients: Annotated[bool, typer.Option("--recipients", help="Also list everybody, with what each took.")] = False,
) -> None:
    """How far a mass pass has been taken up."""
    from scf.kernel.dates import BEIJING, from_unix
    from scf.kernel.money import format_money

    with _opened(data, read_only=True) as installation, installation.reading() as session:
        found = installation.mass.progress(session, note.lower())
        rows = installation.mass.shares(session, note.lower(), limit=found.recipients) if recipients else []
        names = installation.parties.names(session) if recipients else {}
    taken, total = format_money(found.taken_minor, found.currency), format_money(found.total_minor, found.currency)
    until = f"{from_unix(found.until).astimezone(BEIJING):%Y-%m-%d %H:%M} (UTC+8)"
    left = format_money(found.left_minor, found.currency)
    terminal.say(
        f"{found.taken} of {found.recipients} took {taken} of {total}; {left} is left, to be taken until {until}.",
        f"{found.recipients} 个收款方中 {found.taken} 个已领取 {taken}（共 {total}）；余 {left}，截止 {until}。",
    )
    for row in rows:
        who, amount = names.get(row.recipient, row.recipient), format_money(row.amount_minor, row.currency)
        terminal.out.print(f"{row.leaf}\t{who}\t{amount}\t{row.note_id or '–'}", markup=False)


@app.command()
def claim(
    note: Note,
    to: Annotated[str, typer.Option("--to", help="Ledger address on the list.")],
    out: Annotated[Path | None, typer.Option("--out", help="Only write what is to be signed, to this file.")] = None,
    key: Keys = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Take the share of one recipient; without --out it is signed here and sent."""
    from scf.api.acts import SIGNED

    act = SIGNED["claim"]
    with _opened(data) as installation:
        ready = _prepared(installation, "claim", to, _body(act, {"note": note, "to": to}))
        content = _file("claim", to, ready)
        if out is None:
            reply = _submitted(installation, act, content, _signatures(installation, content, None, key))
    terminal.say(ready.prepared.summary["en"], ready.prepared.summary["zh-CN"])
    if out is not None:
        out.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        terminal.say(f"Sign {out} and send it: scf mass send {out}", f"请签名 {out}，然后发送：scf mass send {out}")
        return
    terminal.say(f"Taken: note {reply['note']}.", f"已领取：凭证 {reply['note']}。")


@app.command()
def reclaim(note: Note, data: Data = DEFAULT_DATA) -> None:
    """Give what nobody took back to its giver, after the deadline; again changes nothing."""
    from scf.kernel.money import format_money

    note = note.lower()
    with _opened(data) as installation:
        done = installation.mass.reclaim(note, key=f"reclaim:{note}", caller="scf")
    amount = format_money(int(done["returned_minor"]), str(done["currency"]))
    terminal.say(f"{amount} is back with its giver.", f"{amount} 已退回流转方。")


def _opened(data: Path, *, read_only: bool = False) -> App:
    from scf.app import open_app
    from scf.installation import Settings

    return open_app(Settings.from_environment(data), read_only=read_only)


def _text(path: Path) -> str:
    from scf.receivables.mass_list import MOST_BYTES
    from scf.standards.csvlist import utf8_text

    return utf8_text(path.read_bytes(), most_bytes=MOST_BYTES, code="mass_list_unreadable")


def _facts(given: Sequence[str] | None) -> dict[str, str]:
    found = {}
    for one in given or ():
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise Problem("request_not_readable", place="--fact", reason=one[:60])
        found[name] = value
    return found


def _body(act: SignedAct, content: Mapping[str, Any]) -> Any:
    from pydantic import ValidationError

    try:
        return act.body.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Problem("request_not_readable", place=place, reason=first["msg"]) from error


def _prepared(installation: App, name: str, subject: str, body: Any) -> Ready:
    from scf.api import acts

    return acts.prepare(installation, _caller(installation, name, subject), acts.SIGNED[name], body)


def _caller(installation: App, name: str, subject: str) -> Caller:
    """Who acts: the holder of a note, or the recipient named."""
    from scf.api.access import caller_at
    from scf.receivables import queries

    with installation.reading() as session:
        address = queries.note(session, subject.lower()).holder if name == "mass_pass" else subject
        return caller_at(installation, session, address)


def _file(name: str, subject: str, ready: Ready) -> dict[str, Any]:
    """What is to be signed, with what `send` needs beside it."""
    from scf.receivables.service import plain

    return {
        "act": name,
        "subject": subject,
        "documents": [json.loads(json.dumps(plain(ready.prepared.typed_data)))],
        "signers": list(ready.prepared.signers),
        "context": ready.context,
    }


def _read_file(path: Path) -> dict[str, Any]:
    from scf.parties.signing_file import documents_in

    raw = path.read_bytes()
    documents_in(raw)
    content: dict[str, Any] = json.loads(raw)
    if content.get("act") not in ("mass_pass", "claim") or not content.get("subject"):
        raise Problem("signing_file_unreadable", reason="act")
    return content


def _signatures(
    installation: App, content: Mapping[str, Any], given: Sequence[str] | None, keys: Sequence[str] | None
) -> list[list[bytes]]:
    """Signatures given, or made here with keys of the key ring or, in a demonstration, with the demo keys."""
    from scf.api.office import sign_with_demo_keys
    from scf.ledger.signing import sign_digest
    from scf.ledger.statements import digest_of

    digest = digest_of(content["documents"][0])
    if given:
        try:
            return [[bytes.fromhex(one.removeprefix("0x")) for one in given]]
        except ValueError as error:
            raise Problem("signature_not_hex") from error
    if keys:
        return [[sign_digest(installation.keys.get(name).private, digest) for name in keys]]
    if installation.settings.demo:
        return sign_with_demo_keys(installation, list(content["signers"]), digest)
    raise Problem("signatures_missing", act=content["act"], needed=1, given=0)


def _submitted(
    installation: App, act: SignedAct, content: Mapping[str, Any], signatures: list[list[bytes]]
) -> Mapping[str, Any]:
    from scf.api import acts
    from scf.api.messages import read_message
    from scf.ledger.statements import digest_of

    document = content["documents"][0]
    message = read_message(act.contract, act.primary_type, document["message"])
    caller = _caller(installation, act.name, content["subject"])
    key = f"cli:{act.name}:{digest_of(document).hex()[:40]}"
    return acts.submit(installation, caller, act, message, signatures, content["context"], key)
