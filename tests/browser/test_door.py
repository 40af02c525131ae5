"""The door in a real browser: invite, join on a phone, passkeys, notices; with and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from tests.api.installation import LOTUS, PINE, installation
from tests.browser.conftest import AXE, DESK, PHONE, Visit
from tests.browser.test_journeys import confirm

from scf.kernel.identifiers import make_uscc
from scf.store import evidence
from scf.store.evidence import Trust

pytestmark = pytest.mark.browser
Start = Callable[..., Visit]
_numbers = count(100)


def fresh_code() -> str:
    """The code of a firm nobody knows yet; it begins with a letter."""
    return make_uscc(f"N211010{next(_numbers)}6026103")


def invite(visit: Start, amount: str, **how: Any) -> str:
    """Lotus invites; returns the link as it is shown."""
    demo = installation()
    one = visit(LOTUS, size=PHONE, **how)
    one.open("/invitations")
    one.page.click("main a.button.main")
    one.page.click(f"main a[href='/invite?note={demo.notes[LOTUS]}']")
    one.page.fill("#amount", amount)
    one.page.locator("input[name=evidence]").first.check()
    one.page.fill("#delivered_on", demo.story.day(4).isoformat())
    one.page.locator("main button.main").click()
    one.page.locator("figure.qr svg").wait_for()
    assert one.sideways() <= 0
    link = one.page.locator("#link").input_value()
    one.quiet()
    return str(link)


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_from_an_invitation_to_money_on_a_phone(javascript: bool, language: str, visit: Start) -> None:
    demo, how = installation(), {"language": language, "javascript": javascript}
    link = invite(visit, "60.00", **how)
    far = visit(size=PHONE, **how)
    far.page.goto(link)
    assert "60.00" in far.page.locator(".hero .figure").inner_text()
    fields = far.page.locator("form.join input:not([type=hidden])").all()
    assert len(fields) == 3
    far.page.fill("#j-uscc", fresh_code())
    far.page.fill("#j-name", "青石村经济合作社")
    far.page.fill("#j-contact", f"138000{next(_numbers):05}")
    far.page.locator("main button.main").click()
    far.page.locator("p.good").wait_for()
    assert "/act/accept" in far.page.url
    assert far.page.locator(".who strong").inner_text() == "青石村经济合作社"

    taps = 1
    confirm(far)
    note = far.page.url.split("/notes/")[1].split("?")[0]
    far.page.locator(f"main a.button.main[href$='{note}']").click()
    taps += 1
    far.page.locator("main button.main").click()  # all of it, from every financier
    taps += 1
    far.page.wait_for_url("**/asks/*")
    assert taps <= 4  # asked
    ask = far.page.url.split("/asks/")[1].split("?")[0]

    bank = visit("harbour", **how)
    bank.open(f"/act/quote?ask={ask}&currency=CNY")
    bank.page.fill("input[name=rate_ppm]", "5.50")
    bank.page.select_option("select[name=paying_bank]", demo.at("civic"))
    bank.page.locator("main button.main").click()
    confirm(bank)
    far.page.reload()
    far.page.locator("main button.main").click()  # open the prices
    shown = far.page.locator(".offer .price .big dd").inner_text()
    far.page.locator(".offer a.button.main").click()
    confirm(far)
    assert re.match(r"CNY\s5\d\.\d\d", shown)
    far.quiet()


def test_a_passkey_is_made_on_this_device_and_signs_in_without_typing(visit: Start, base: str) -> None:
    one = visit()
    one.base = base.replace("127.0.0.1", "localhost")  # passkeys are bound to a name
    client = one.page.context.new_cdp_session(one.page)
    client.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    made = client.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    one.page.context.request.post(one.base + "/sign-in", form={"address": installation().at(PINE)})
    one.open("/account")
    one.page.locator("[data-passkey=make] button").click()
    one.page.locator(".rows form[action='/account/passkeys/remove']").wait_for()
    one.page.locator("details.who summary").click()
    one.page.locator("form[action='/sign-out'] button").click()
    one.page.locator("main details summary").first.click()
    one.page.locator("[data-passkey=enter] button").click()
    one.page.wait_for_url(one.base + "/")
    assert "Pine Creek" in one.page.locator(".who strong").inner_text()
    one.open("/account")
    assert "passkey" in one.page.locator("main").inner_text()
    one.page.locator("form[action='/account/passkeys/remove'] button").click()
    one.page.locator("details.who summary").click()
    one.page.locator("form[action='/sign-out'] button").click()
    one.page.locator("main details summary").first.click()
    one.page.locator("[data-passkey=enter] button").click()
    one.page.get_by_text("This passkey was not recognised").wait_for()
    client.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": made["authenticatorId"]})
    assert [line for line in one.complaints if "401" not in line] == []


def test_a_notice_raises_the_count_in_the_menu_without_reloading(visit: Start) -> None:
    demo = installation()
    one = visit("farhill")
    one.open("/notices")
    one.page.wait_for_timeout(1_500)
    with demo.app.desk.session() as session:
        kept = evidence.record(
            session, b"live", kind="reminder", source="scf", sender="scf", trust=Trust.T2, received_at=1
        ).evidence_id
        words = {"en": "Something new happened.", "zh-CN": "有新情况。"}
        demo.app.notices.tell(session, "test-live", demo.at("farhill"), "reminder", words, evidence_id=kept)
    one.page.locator("#notices").get_by_text("Something new happened.").wait_for(timeout=15_000)
    one.page.locator(".bell .badge").wait_for(timeout=15_000)
    one.quiet()


def test_numbers_of_steps_stand_beside_their_words(visit: Start) -> None:
    link = invite(visit, "1.50")
    one = visit(size=PHONE, language="zh-CN")
    one.page.goto(link)
    assert one.page.locator(".steps li").count() == 3
    for row in one.page.locator(".steps li").all():
        room = row.evaluate("e => parseFloat(getComputedStyle(e).paddingLeft)")
        badge = row.evaluate("e => parseFloat(getComputedStyle(e, '::before').width)")
        assert room > badge > 20


def paths(link: str) -> dict[str, tuple[str, str, list[str]]]:
    """Pages of the door by who looks at them."""
    note = installation().notes[LOTUS]
    own = ["/invite", f"/invite?note={note}", "/invitations", "/notices", "/account", "/developers"]
    return {
        "inviter": (LOTUS, "account", own),
        "operator": ("operator", "operator-1", ["/applications", "/notices", "/account"]),
        "nobody": ("", "", ["/sign-in", "/enter/none", "/join/none", link]),
    }


@pytest.mark.parametrize("look", ["phone-dark-zh-CN", "desk-light-en"])
@pytest.mark.parametrize("who", ["inviter", "operator", "nobody"])
def test_pages_of_the_door_fit_and_axe_finds_nothing(who: str, look: str, visit: Start) -> None:
    size, colour, language = look.split("-", 2)
    link = invite(visit, "1.00").split("/", 3)[3]
    code, seat, all_paths = paths("/" + link)[who]
    one = visit(code, seat, size=PHONE if size == "phone" else DESK, dark=colour == "dark", language=language)
    found: dict[str, Any] = {}
    for path in all_paths:
        one.open(path)
        assert one.sideways() <= 0, path
        if who == "nobody" and path.endswith("none"):
            one.complaints.clear()  # a 404 is what is looked at
        small = one.page.evaluate(
            """() => [...document.querySelectorAll('button, .button, summary, select, textarea, nav a, .tasks a,'
                + ' input:not([type=hidden])')].map(e => e.closest('label.tick') || e)
            .map(e => [e.textContent.trim().slice(0, 20), e.getBoundingClientRect()])
            .filter(([, r]) => r.width > 0 && r.height < 43.5).map(([t, r]) => [t, Math.round(r.height)])"""
        )
        if small:
            found[path + " small"] = small
        if AXE.exists():
            one.page.evaluate(AXE.read_text(encoding="utf-8"))
            result = one.page.evaluate(
                "async () => (await axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']}))"
                ".violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html)])"
            )
            if result:
                found[path] = result
    assert found == {}
    one.quiet()
