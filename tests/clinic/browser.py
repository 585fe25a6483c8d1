"""A tab of the system's Chromium with a user signed in, and a typist who works it by keyboard alone, counted."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connection

from accounts.models import User
from tests.clinic.test_pages import signed_in
from tests.conftest import CHROMIUM, needs

Read = TypeVar("Read")

# The keystroke-level model: Card, Moran, Newell 1980, Commun ACM 23:396. An average typist; its error is about a fifth.
KEY_SECONDS = 0.28
MENTAL_SECONDS = 1.35
MOST_TABS = 250

# What the focus is on: its name as one reads it, the kind of element, and whether it is a row's.
FOCUS = """
() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const said = e.labels?.[0]?.innerText || e.getAttribute("aria-label") || e.innerText || "";
  return {name: said.replace(/\\s+/g, " ").trim(), tag: e.tagName, id: e.id, value: e.value ?? "",
          row: e.closest("li, tr")?.innerText ?? ""};
}
"""
# The fewest letters by which a list's entry is found: those that no other entry begins with.
LETTERS = """
(words) => {
  const names = [...document.activeElement.options].map(o => o.text.trim());
  const wanted = names.find(n => n.startsWith(words));
  if (!wanted) return null;
  for (let n = 1; n <= wanted.length; n++) {
    const letters = wanted.slice(0, n).toLowerCase();
    if (names.filter(name => name.toLowerCase().startsWith(letters)).length === 1) return letters;
  }
  return wanted;
}
"""
CHOSEN = "document.activeElement.selectedOptions[0].text.trim()"


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the system's Chromium."""
    needs(CHROMIUM, "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@contextmanager
def signed_in_tab(site: str, user: User, *, with_scripts: bool = True) -> Iterator[Any]:
    """Open an empty tab; ``window.violations`` lists what the page's security policy refused."""
    session = signed_in(user).cookies["sessionid"].value
    with chromium() as browser:
        context = browser.new_context(
            viewport={"width": 1440, "height": 900}, java_script_enabled=with_scripts
        )
        context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
        tab = context.new_page()
        tab.set_default_timeout(10_000)
        tab.add_init_script(
            "window.violations = [];"
            "document.addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective))"
        )
        yield tab


def stored(read: Callable[[], Read]) -> Read:
    """Return what stands in the database, read in a thread: the browser's driver keeps this one's event loop busy."""

    def look() -> Read:
        try:
            return read()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(look).result()


class Typist:
    """Works a tab by keyboard alone, and counts what it costs.

    On a page it has come to it takes the skip link first, as one does who works so, unless a letter of the page's
    shortcuts leads on.

    Attributes:
        keys: pressed so far: every Tab, Enter and character; of two held together, both.
        mental_acts: one for each field or choice gone to, whether it is filled in or pressed.
        items: values that were typed or chosen.
    """

    def __init__(self, tab: Any) -> None:
        self.tab = tab
        self.keys = 0
        self.mental_acts = 0
        self.items = 0

    @property
    def seconds(self) -> float:
        """By the keystroke-level model, without what the machine needs."""
        return self.keys * KEY_SECONDS + self.mental_acts * MENTAL_SECONDS

    @property
    def account(self) -> str:
        return f"{self.keys} keys, {self.mental_acts} mental acts: {self.seconds:.1f} s by the keystroke-level model"

    def press(self, key: str) -> None:
        self.keys += key.count("+") + 1
        self.tab.keyboard.press(key)

    def type(self, text: str) -> None:
        self.keys += len(text)
        self.tab.keyboard.type(text)

    def go_to(self, words: str, *, tag: str = "") -> None:
        """Press Tab until what has the focus is called so."""
        self.mental_acts += 1
        self.skip()
        passed = []
        for _ in range(MOST_TABS):
            self.press("Tab")
            focus = self.tab.evaluate(FOCUS)
            if focus and focus["name"].startswith(words) and tag in ("", focus["tag"]):
                return
            passed.append(focus and focus["name"])
        raise AssertionError(f"no {words!r} is reached by Tab, only {passed}")

    def go_to_row(self, words: str) -> None:
        """Press j until the row that says so is reached: its first link has the focus."""
        self.mental_acts += 1
        for _ in range(MOST_TABS):
            before = self.tab.evaluate(FOCUS)
            self.press("j")
            focus = self.tab.evaluate(FOCUS)
            assert focus != before, f"no row says {words!r}"
            if focus and words in focus["row"]:
                return
        raise AssertionError(f"no row says {words!r}")

    def fill(self, words: str, text: str, *, tag: str = "") -> None:
        """Go to a field and type; what stood in it is selected by Tab, and goes."""
        self.go_to(words, tag=tag)
        self.type(text)
        self.items += 1

    def down(self, values: Sequence[str]) -> None:
        """Type into the cell that has the focus and those below it, each left with Enter but the last."""
        for at, value in enumerate(values):
            self.mental_acts += 1
            self.type(value)
            self.items += 1
            if at + 1 < len(values):
                self.press("Enter")

    def choose(self, words: str, entry: str) -> None:
        """Go to a list and type the first letters of an entry."""
        self.go_to(words, tag="SELECT")
        letters = self.tab.evaluate(LETTERS, entry)
        assert letters, f"{words} has no {entry!r}"
        self.type(letters)
        assert self.tab.evaluate(CHOSEN).startswith(entry)
        self.items += 1

    def tick(self, words: str) -> None:
        self.go_to(words, tag="INPUT")
        self.press("Space")
        self.items += 1

    def follow(self, words: str, *, tag: str = "") -> None:
        """Go to a link or button, press it, and wait for the page that it leads to."""
        self.go_to(words, tag=tag)
        self.enter()

    def pick(self, words: str) -> None:
        """Open the palette, type what is meant, and go there."""
        self.mental_acts += 1
        self.press("Control+k")
        self.type(words)
        self.enter()

    def enter(self) -> None:
        """Press Enter, which sends the form or follows the link, and wait for the next page."""
        self.arrive("Enter")

    def arrive(self, key: str) -> None:
        """Press a key that leads to another page, and wait for it."""
        with self.tab.expect_navigation():
            self.press(key)

    def skip(self) -> None:
        """Take the skip link, where nothing on the page has the focus yet."""
        if self.tab.evaluate(FOCUS) is not None:
            return
        self.press("Tab")
        assert self.tab.evaluate(FOCUS)["name"] == "Skip to the content"
        self.press("Enter")
        self.tab.wait_for_function("document.activeElement.id === 'content'")
