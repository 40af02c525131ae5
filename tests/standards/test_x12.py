"""X12 orders, acknowledgements and ship notices: envelopes, counts and quantities must agree."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from scf.kernel.problems import Problem
from scf.standards import x12
from scf.standards.records import DespatchAdvice, Order

ISA = "ISA*00*          *00*          *ZZ*BUYER01        *ZZ*SELLER01       *261120*0930*U*00401*000000007*0*P*>~"
ORDER = (
    "BEG*00*SA*PO-77**20261120*C-5~CUR*BY*USD~DTM*002*20261230~N1*BY*Great Machine Works*9*123456789~"
    "N1*SU*Foundry East*92*S-1~N3*Mill Road 1~N4*Linz**4020*AT~"
    "PO1*1*10*EA*4.5**VN*A-1~PID*F****HOUSING~PO1*2*3*KG*1.005**VN*A-2~CTT*2~AMT*TT*48.02~"
)


def interchange(body: str, code: str = "850", terminator: str = "~") -> str:
    count = body.count("~") + 2
    head = f"{ISA}GS*PO*BUYER01*SELLER01*20261120*0930*7*X*004010~ST*{code}*0001~"
    return f"{head}{body}SE*{count}*0001~GE*1*7~IEA*1*000000007~".replace("~", terminator)


def read(body: str, code: str = "850", terminator: str = "~") -> Order | DespatchAdvice:
    (found,) = x12.read(interchange(body, code, terminator).encode())
    return found


@pytest.mark.parametrize("terminator", ["~", "\n"])
def test_only_the_whole_trailer_may_lack_its_terminator(terminator: str) -> None:
    whole = interchange(ORDER, terminator=terminator).rstrip(terminator)
    (found,) = x12.read(whole.encode())
    assert found == read(ORDER)
    for cut in range(1, 12):
        with pytest.raises(Problem) as refused:
            x12.read(whole[:-cut].encode())
        assert refused.value.code == "x12_envelope_wrong"


@pytest.mark.parametrize("terminator", ["~", "~\n", "~\r\n", "\n", "'"])
def test_an_order_whatever_its_terminator(terminator: str) -> None:
    order = read(ORDER, terminator=terminator)
    assert isinstance(order, Order)
    assert (order.number, order.issue_date, order.deliver_by) == ("PO-77", date(2026, 11, 20), date(2026, 12, 30))
    assert (order.buyer.name, order.seller.name, order.seller.country) == ("Great Machine Works", "Foundry East", "AT")
    assert [(line.id, line.quantity, line.item_id, line.net_minor) for line in order.lines] == [
        ("1", Decimal(10), "A-1", 4_500),
        ("2", Decimal(3), "A-2", 302),
    ]
    assert (order.currency, order.net_minor, order.contract_reference, order.notices) == ("USD", 4_802, "C-5", ())


def test_amounts_stay_unknown_without_a_currency() -> None:
    order = read(ORDER.replace("CUR*BY*USD~", ""))
    assert isinstance(order, Order)
    assert (order.currency, order.net_minor, order.lines[0].price) == (None, None, Decimal("4.5"))


def test_an_acknowledgement_says_what_is_accepted() -> None:
    body = (
        "BAK*00*AC*PO-77*20261121****SO-9~PO1*1*10*EA*4.5**VN*A-1~ACK*IQ*8*EA~PO1*2*3*EA*1**VN*A-2~ACK*IR*0*EA~CTT*2~"
    )
    answer = read(body, "855")
    assert isinstance(answer, Order)
    assert (answer.kind, answer.number, answer.order_reference, answer.response_code) == (
        "order_response",
        "SO-9",
        "PO-77",
        "AC",
    )
    assert [(line.status, line.accepted_quantity) for line in answer.lines] == [("IQ", 8), ("IR", 0)]
    assert answer.buyer.identifiers[0].value == "SELLER01"


def test_a_ship_notice_joins_items_to_the_order_above_them() -> None:
    body = (
        "BSN*00*SH-1*20261121*0930~HL*1**S~TD5**2*ABCD**Road Carrier~REF*BM*BOL-1~DTM*011*20261120~DTM*017*20261125~"
        "HL*2*1*O~PRF*PO-77~HL*3*2*P~HL*4*3*I~LIN**VP*A-1~SN1*1*6*EA~PID*F****HOUSING~HL*5*1*O~PRF*PO-78~HL*6*5*I~"
        "LIN**UP*40123~SN1*2*4.5*KG~CTT*6~"
    )
    advice = read(body, "856")
    assert isinstance(advice, DespatchAdvice)
    assert (advice.number, advice.order_references, advice.carrier) == ("SH-1", ("PO-77", "PO-78"), "Road Carrier")
    assert [(line.quantity, line.order_reference, line.item_id) for line in advice.lines] == [
        (Decimal(6), "PO-77", "A-1"),
        (Decimal("4.5"), "PO-78", "40123"),
    ]
    assert (advice.shipped_on, advice.expected_on) == (date(2026, 11, 20), date(2026, 11, 25))


def test_a_total_that_does_not_fit_is_noticed() -> None:
    order = read(ORDER.replace("AMT*TT*48.02", "AMT*TT*480.20"))
    assert [notice.code for notice in order.notices] == ["x12_total_differs"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("SE*14*", "SE*13*", "x12_count_differs"),
        ("SE*14*0001", "SE*14*0002", "x12_envelope_wrong"),
        ("GE*1*7", "GE*2*7", "x12_count_differs"),
        ("GE*1*7", "GE*1*8", "x12_envelope_wrong"),
        ("IEA*1*", "IEA*3*", "x12_count_differs"),
        ("IEA*1*000000007~", "", "x12_envelope_wrong"),
        ("CTT*2", "CTT*3", "x12_count_differs"),
        ("PO1*1*10*", "PO1*1*ten*", "document_number_wrong"),
        ("20261230", "20261330", "document_date_wrong"),
        ("CUR*BY*USD", "CUR*BY*XXX", "document_currency_unknown"),
        ("BEG*00*SA*PO-77", "BEG*00*SA*", "document_element_missing"),
        ("ST*850", "ST*810", "x12_set_unsupported"),
        ("*P*>~", "*P", "x12_header_wrong"),
        ("GS*PO", "gs*PO", "x12_envelope_wrong"),
    ],
)
def test_what_does_not_agree_is_refused(old: str, new: str, code: str) -> None:
    text = interchange(ORDER)
    assert old in text
    with pytest.raises(Problem) as caught:
        x12.read(text.replace(old, new, 1).encode())
    assert caught.value.code == code
    assert caught.value.facts["place"]


def test_a_file_cut_short_is_refused_wherever_it_is_cut() -> None:
    text = interchange(ORDER)
    for end in range(0, len(text) - 1, 7):
        with pytest.raises(Problem):
            x12.read(text[:end].encode())


def test_several_interchanges_in_one_file_are_read_each_with_its_own_separators() -> None:
    one = interchange(ORDER)
    other = one.replace("*", "|")
    assert len(x12.read((one + "\r\n" + other + "\n").encode())) == 2 * len(x12.read(one.encode()))
    with pytest.raises(Problem) as caught:
        x12.read((one + other[: len(other) // 2]).encode())
    assert caught.value.code in ("x12_envelope_wrong", "x12_header_wrong")
    with pytest.raises(Problem) as caught:
        x12.read((one + "XYZ*1~").encode())
    assert caught.value.code == "x12_envelope_wrong"


def test_a_hash_total_that_the_quantities_do_not_give_is_told() -> None:
    quantities = sum(
        (line.quantity or Decimal(0) for line in x12.read(interchange(ORDER).encode())[0].lines), Decimal(0)
    )
    assert "CTT*" in ORDER
    start = ORDER.index("CTT*")
    end = ORDER.index("~", start)
    count = ORDER[start:end].split("*")[1]
    for total, codes in ((quantities, []), (quantities + 1, ["x12_hash_differs"])):
        (read,) = x12.read(interchange(ORDER[:start] + f"CTT*{count}*{total}" + ORDER[end:]).encode())
        assert [notice.code for notice in read.notices] == codes
