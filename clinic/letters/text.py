"""From the text a centre wrote and the facts of a patient to the blocks that page and PDF draw.

Plain Python. Facts are put in once: braces within a fact stay what they are.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from analytics.report.document import Items, Table, Text
from clinic.charts.numbers import moment
from clinic.letters.placeholders import PLACEHOLDERS, Fact, Kind, missing
from clinic.letters.shipped import Wording
from languages.wording import gettext as _
from languages.wording import gettext_noop, pgettext

MOST_TITLE, MOST_BODY = 120, 20_000  # characters
_NAMED = re.compile(r"\{([^{}\n]*)\}")
_WITHIN = {
    Kind.THERAPY_SUMMARY: gettext_noop("therapy summary"),
    Kind.CYCLE_LETTER: gettext_noop("cycle letter"),
}
_EMPTY_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


@dataclass(frozen=True)
class Heading:
    text: str
    kind: str = "heading"


Block = Heading | Text | Items | Table


@dataclass(frozen=True)
class Letter:
    """A letter with its facts in place.

    Attributes:
        registry_number: of the patient; the name stands in the blocks alone.
        made_at: aware, in the centre's zone.
        wording: whose text it is, in words.
        file_name: without a name in it.
        language: its code, by which the PDF breaks lines and is read aloud.
    """

    kind: Kind
    title: str
    blocks: tuple[Block, ...]
    registry_number: str
    made_at: datetime
    wording: str
    file_name: str
    banner: str = ""
    language: str = "en"

    @property
    def foot(self) -> str:
        made = _("made {moment} ({zone})").format(moment=moment(self.made_at), zone=self.made_at.tzinfo)
        return f"{self.registry_number} · {_(_WITHIN[self.kind])} · {made} · {self.wording}"


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _paragraphs(body: str) -> list[str]:
    return [part.strip("\n") for part in _EMPTY_LINES.split(_lines(body)) if part.strip()]


def problems(kind: Kind, *, title: str, body: str) -> dict[str, list[str]]:
    """Return what cannot be put into a letter, by field (``title``, ``body``); empty where all is well."""
    found = {"title": _problems_of(kind, title), "body": _problems_of(kind, body)}
    tables = [name for name in _NAMED.findall(title) if name in PLACEHOLDERS and PLACEHOLDERS[name].is_table]
    if tables:
        found["title"].append(_("{names}: a table cannot stand in the title.").format(names=_listed(tables)))
    alone = {part.strip() for part in _paragraphs(body)}
    within = [
        one.name for one in PLACEHOLDERS.values() if one.is_table and one.written in body and one.written not in alone
    ]  # fmt: skip
    if within:
        found["body"].append(
            _("{names}: a table stands on a line of its own, with an empty line before and after it.").format(
                names=_listed(within)
            )
        )
    return {field: said for field, said in found.items() if said}


def _problems_of(kind: Kind, text: str) -> list[str]:
    named = list(dict.fromkeys(_NAMED.findall(text)))
    said = []
    if unknown := [name for name in named if name not in PLACEHOLDERS]:
        said.append(
            _("Unknown: {names}. What can stand in braces is listed below the text.").format(
                names=_listed(unknown)
            )
        )
    if strange := [name for name in named if name in PLACEHOLDERS and kind not in PLACEHOLDERS[name].kinds]:
        refused = {
            Kind.THERAPY_SUMMARY: _("{names}: not in a therapy summary."),
            Kind.CYCLE_LETTER: _("{names}: not in a cycle letter."),
        }
        said.append(refused[kind].format(names=_listed(strange)))
    if re.search(r"[{}]", _NAMED.sub("", text)):
        said.append(_("A brace stands without its other half: write {name}, on one line."))
    return said


def _listed(names: list[str]) -> str:
    return ", ".join("{" + name + "}" for name in names)


def blocks_of(body: str, facts: Mapping[str, Fact]) -> tuple[Block, ...]:
    """Return the blocks of a body. Empty lines part paragraphs; ``# `` begins a heading, ``- `` an item.

    A fact that is missing, and a table without rows, are said to be: ``not recorded``.
    """
    blocks: list[Block] = []
    for part in _paragraphs(body):
        named = _NAMED.fullmatch(part.strip())
        fact = facts.get(named[1], missing()) if named else ""
        if isinstance(fact, Table):
            blocks.append(fact if fact.rows else Text(f"{fact.caption}: {missing()}."))
            continue
        blocks += _blocks_of_lines(part.split("\n"), facts)
    return tuple(blocks)


def _blocks_of_lines(lines: list[str], facts: Mapping[str, Fact]) -> list[Block]:
    blocks: list[Block] = []
    items: list[str] = []
    plain: list[str] = []

    def close() -> None:
        if items:
            blocks.append(Items(tuple(items)))
        if plain:
            blocks.append(Text("\n".join(plain)))
        items.clear()
        plain.clear()

    for line in lines:
        if line.startswith("# "):
            close()
            blocks.append(Heading(fill(line[2:].strip(), facts)))
        elif line.startswith("- "):
            if plain:
                close()
            items.append(fill(line[2:].strip(), facts))
        else:
            if items:
                close()
            plain.append(fill(line.strip(), facts))
    close()
    return blocks


def fill(text: str, facts: Mapping[str, Fact]) -> str:
    """Return a line with its facts in place."""

    def said(named: re.Match[str]) -> str:
        fact = facts.get(named[1], "")
        return fact if isinstance(fact, str) and fact else missing()

    return _NAMED.sub(said, text)


def letter(
    kind: Kind,
    wording: Wording,
    facts: Mapping[str, Fact],
    *,
    registry_number: str,
    number: int,
    made_at: datetime,
    whose: str,
    banner: str = "",
) -> Letter:
    """Return a letter.

    Args:
        number: of the course, or of the cycle, for the name of the file.
        whose: the centre's code.
    """
    if wording.version is None:
        said = _("text not stored yet")
    elif wording.version:
        said = _("text {version} of {centre}").format(version=wording.version, centre=whose)
    else:
        said = _("text shipped with the registry")
    return Letter(
        kind=kind,
        title=fill(_lines(wording.title), facts),
        blocks=blocks_of(wording.body, facts),
        registry_number=registry_number,
        made_at=made_at,
        wording=said,
        file_name=f"{registry_number}-{kind.replace('_', '-')}-{number}.pdf",
        banner=banner,
        language=pgettext("code of the language of the letter", "en"),
    )
