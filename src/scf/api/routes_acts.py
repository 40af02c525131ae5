"""Routes of acts: `/acts/{act}/prepare`, `/acts/{act}` and, with demo keys, `/acts/{act}/demo`."""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from scf.api import acts, office
from scf.api.act_kinds import PlainAct, SignedAct
from scf.api.doors import Fresh, Key, Scf, Who
from scf.api.messages import read_message, read_signatures
from scf.api.shapes import SubmitBody

router = APIRouter(prefix="/acts", tags=["acts"])
_REPLY = {
    "transaction": "0x5d1c6f0e2b4a98377f6e5d4c3b2a19080716253443526170f0e1d2c3b4a59687",
    "block": 42,
    "receivable": 1,
    "note": "0x0000000000000001a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4",
}
_PREPARED = {
    "act": "accept",
    "typed_data": {"primaryType": "Accept", "domain": {"name": "scf Receivables"}, "types": {}, "message": {}},
    "message": {"noteId": "28948022309329048855892746252171976963317496166410141009864396001", "deadline": 1790000000},
    "digest": "0x5d1c6f0e2b4a98377f6e5d4c3b2a19080716253443526170f0e1d2c3b4a59687",
    "signers": [{"address": "0x1111111111111111111111111111111111111111", "name": "Pine Creek Machining"}],
    "summary": {
        "en": "You accept from … a claim of CNY 500,000.00 …",
        "zh-CN": "您签收来自 … 的 CNY 500,000.00 债权 …",
    },
    "context": {},
}


def _answer(description: str, example: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, "content": {"application/json": {"example": example}}}}


def _add_signed(act: SignedAct) -> None:
    shape: Any = Annotated[act.body, Body(openapi_examples={"typical": {"value": dict(act.example)}})]

    def prepare(app: Scf, body: shape, caller: Who) -> dict[str, Any]:
        return office.show_prepared(app, acts.prepare(app, caller, act, body))

    def submit(app: Scf, body: SubmitBody, caller: Fresh, key: Key = None) -> dict[str, Any]:
        key = office.check_key(key)
        message = read_message(act.contract, act.primary_type, body.message)
        signatures = read_signatures(body.signatures, act.name, act.signer_count)
        request = {"act": act.name, **body.model_dump(mode="json")}
        return office.carry_out(
            app,
            caller,
            key,
            request,
            lambda plan: acts.submit(app, caller, act, message, signatures, body.context, f"in:{key}"),
        )

    def demo(app: Scf, body: shape, caller: Who, key: Key = None) -> dict[str, Any]:
        return office.demo_act(app, caller, act, body, office.check_key(key))

    reply = _answer("What the act did and where it stands on the ledger", _REPLY)
    router.add_api_route(
        f"/{act.name}/prepare",
        prepare,
        methods=["POST"],
        operation_id=f"prepare_{act.name}",
        summary=f"{act.title}: what to sign",
        responses=_answer("Typed data to sign", {**_PREPARED, "act": act.name}),
    )
    router.add_api_route(
        f"/{act.name}",
        submit,
        methods=["POST"],
        operation_id=f"submit_{act.name}",
        summary=f"{act.title}: send it signed",
        responses=reply,
    )
    router.add_api_route(
        f"/{act.name}/demo",
        demo,
        methods=["POST"],
        operation_id=f"demo_{act.name}",
        summary=f"{act.title}: sign with the demo keys and send (demo installations only)",
        responses=reply,
    )


def _add_plain(act: PlainAct) -> None:
    shape: Any = Annotated[act.body, Body(openapi_examples={"typical": {"value": dict(act.example)}})]

    def run(app: Scf, body: shape, caller: Who, key: Key = None) -> dict[str, Any]:
        key = office.check_key(key)
        request = {"act": act.name, "body": body.model_dump(mode="json")}
        return office.carry_out(app, caller, key, request, lambda plan: act.run(app, caller, body))

    router.add_api_route(
        f"/{act.name}",
        run,
        methods=["POST"],
        operation_id=act.name,
        summary=act.title,
        responses=_answer("What was done", {"transactions": []}),
    )


for _signed in acts.SIGNED.values():
    _add_signed(_signed)
for _plain in acts.PLAIN.values():
    _add_plain(_plain)
