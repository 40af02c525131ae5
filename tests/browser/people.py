"""People of an installation that holds nobody's keys: each has a browser, a signing key in it, and its own eyes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scf.demo.papers import Paper

PHONE = (360, 740)


@dataclass
class Person:
    """Somebody at a browser of their own; what the browser complains about is kept."""

    page: Any
    base: str
    address: str = ""
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    presses: int = 0

    def open(self, path: str) -> Any:
        """Go to a page of ours."""
        return self.page.goto(path if path.startswith("http") else self.base + path)

    def press(self, selector: str, *, inside: Any = None) -> None:
        """Press what is there to press, and count it."""
        (inside or self.page).locator(selector).first.click()
        self.presses += 1

    def enter(self, link: str) -> None:
        """Sign in by a one-time link."""
        self.open(link)
        self.page.locator("form button.main").click()
        self.page.locator(".who strong").wait_for()

    def make_key(self) -> str:
        """Make a signing key in this browser; returns its address."""
        self.open("/key")
        self.page.locator("[data-new-key] button").click()
        self.page.locator("#new-address").wait_for()
        self.address = self.page.locator("#new-address").input_value()
        return self.address

    def bring_key(self, file: Path, words: str) -> None:
        """Open an encrypted key file in this browser, on a page that asks for a signature."""
        if self.page.locator("[data-bring]").is_hidden():
            return
        self.page.set_input_files("#key-file", file)
        self.page.fill("#key-words", words)
        self.page.locator("[data-bring] button").click()
        self.page.locator("[data-bring]").wait_for(state="hidden")

    def tick_all(self) -> None:
        """Confirm each statement by its own box."""
        for box in self.page.locator("input[name^=clause_]").all():
            box.check()

    def here(self) -> None:
        """Wait until the page knows that the key is in this browser."""
        self.page.locator("[data-line]:not([hidden])").wait_for()

    def upload(self, paper: Paper, folder: Path) -> None:
        """Bring a document in."""
        path = folder / paper.name
        path.write_bytes(paper.raw)
        self.open("/documents")
        self.page.locator("main a.button.main").click()
        self.page.set_input_files("input[type=file]", path)
        self.page.locator("main button.main").click()
        self.page.locator("form[action$='/apply'] button.main").click()
        self.page.locator("form[action$='/undo']").wait_for()

    def quiet(self) -> None:
        """Fail on console errors, policy violations and requests to other hosts."""
        assert self.complaints == []
        assert self.foreign == []


def person(browser: Any, base: str, *, language: str = "zh-CN", phone: bool = False, javascript: bool = True) -> Person:
    """A new browser on which nobody is signed in."""
    width, height = PHONE if phone else (1200, 800)
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=language, has_touch=phone, java_script_enabled=javascript
    )
    context.set_default_timeout(90_000)  # a machine may be slow; what never comes still fails
    one = Person(context.new_page(), base)
    one.page.on("console", lambda message: message.type == "error" and one.complaints.append(message.text))
    one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
    one.page.on("request", lambda request: request.url.startswith(base) or one.foreign.append(request.url))
    return one
