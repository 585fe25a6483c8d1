"""The header of a clinic's own sheet: where it stands, what its columns are called, and what they may mean.

A suggestion is looked at by a person before anything is read by it. Plain Python. In words: docs/importing.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from exchange.cells import find_unit, normalised
from exchange.columns import SHEET, SHEETS, Column
from exchange.values import Cell, as_text
from treatments.rules.labs import find_analyte
from treatments.rules.labs import find_unit as find_lab_unit

_MOST_CYCLES = 12

# What clinics write above a column, English and German, normalised.
_WORDS: dict[str, str] = {
    words: target
    for target, spellings in {
        "patients.registry_number": "registry number|registry no|registernummer|studiennummer|study id",
        "patients.mrn": (
            "mrn|medical record number|pat id|patid|patient id|patienten id|patientennummer|patienten nr|pat nr|fallnummer"
            "|hospital number|patient no|id patient|pid|patient number"
        ),
        "patients.family_name": "family name|surname|last name|nachname|familienname",
        "patients.given_names": "given name|given names|first name|vorname|vornamen",
        "patients.sex": "sex|gender|geschlecht|m w|m f|m w d",
        "patients.birth_date": "birth date|date of birth|dob|birthdate|geburtsdatum|geb datum|geb dat|geboren am|geb",
        "diagnoses.tumour_type": "tumour type|tumor type|tumorentitaet|entitaet|tumorart|tumortyp|tumour|tumor|histologie",
        "diagnoses.primary_site": "primary site|primary|primarius|primaertumor|primaertumor lokalisation|lokalisation",
        "diagnoses.diagnosed_on": "diagnosed on|date of diagnosis|diagnosis date|erstdiagnose|datum erstdiagnose",
        "diagnoses.who_grade": "who grade|grade|grading|grad|who grad",
        "diagnoses.ki67_percent": "ki 67|ki67|ki 67 index|ki67 index|mib 1",
        "diagnoses.stage": "stage|stadium|uicc|uicc stadium|tumorstadium",
        "diagnoses.metastatic_sites": "metastatic sites|metastases|metastasen|metastasierung",
        "performance_statuses.ecog": "ecog|ecog performance status|ecog status",
        "cycles.cycle_number": "cycle|cycle number|cycle no|zyklus|zyklus nr|zyklusnummer|therapie nr|kurs",
        "cycles.planned_on": "planned on|planned|geplant am|geplant|plantermin",
        "cycles.status": "status|cycle status",
        "cycles.administered_at": (
            "date of treatment|treatment date|date of therapy|therapy date|date given|given on|administered on"
            "|administered at|therapiedatum|datum therapie|datum der therapie|datum der gabe|behandlungsdatum|infusion date"
        ),
        "cycles.administered_activity_mbq": (
            "activity|administered activity|net activity|aktivitaet|verabreichte aktivitaet|applizierte aktivitaet"
        ),
        "cycles.prescribed_activity_mbq": "prescribed activity|verordnete aktivitaet|sollaktivitaet|soll aktivitaet",
        "cycles.syringe_activity_mbq": "syringe activity|spritzenaktivitaet|aktivitaet spritze",
        "cycles.residual_activity_mbq": "residual|residual activity|restaktivitaet|rest aktivitaet",
        "cycles.body_weight_kg": "weight|body weight|gewicht|koerpergewicht",
        "cycles.lot": "lot|batch|charge|chargennummer|chargen nr|lot number",
        "cycles.note": "note|notes|remark|remarks|comment|comments|bemerkung|bemerkungen|kommentar|notiz",
        "courses.course_number": "course|course number|serie|prrt serie",
        "contacts.known_alive_on": "last contact|last seen|last follow up|letzter kontakt|last known alive|zuletzt gesehen",
        "deaths.died_on": "date of death|died on|death|todesdatum|verstorben am|gestorben am|sterbedatum",
        "deaths.cause": "cause of death|todesursache",
        "disease_events.occurred_on": "date of progression|progression|progress|progressdatum|progression date",
        "lab_results.taken_at": "date of labs|lab date|labordatum|blutentnahme|datum labor|taken at",
        "discontinuations.discontinued_on": "discontinued on|abbruch am|abbruchdatum|date of discontinuation",
        "discontinuations.main_reason": "reason for discontinuation|abbruchgrund|grund fuer abbruch",
    }.items()
    for words in spellings.split("|")
}
# Behind the number of a cycle: "Zyklus 2 Datum".
_OF_CYCLE: dict[str, str] = {
    words: f"cycles.{column}"
    for column, spellings in {
        "administered_at": "|date|datum|am|given|gegeben|therapie|therapy|tag",
        "planned_on": "planned|geplant|planned on|geplant am",
        "administered_activity_mbq": "activity|aktivitaet|act|akt|administered activity|dosis|verabreichte aktivitaet",
        "prescribed_activity_mbq": "prescribed activity|sollaktivitaet|prescribed",
        "syringe_activity_mbq": "syringe|syringe activity|spritze|spritzenaktivitaet",
        "residual_activity_mbq": "residual|residual activity|rest|restaktivitaet",
        "status": "status",
        "body_weight_kg": "weight|gewicht|body weight|koerpergewicht",
        "lot": "lot|charge|batch",
        "note": "note|bemerkung|comment|kommentar|remark",
    }.items()
    for words in spellings.split("|")
}
_CYCLE = re.compile(
    r"\b(?:zyklus|cycle|zykl|kurs|z|c)\s?(\d{1,2})\b|\b(\d{1,2})\s?(?:ter |te |st |nd |rd |th )?(?:zyklus|cycle)\b"
)
_BRACKETED = re.compile(r"[(\[]([^()\[\]]{1,20})[)\]]")


@dataclass(frozen=True)
class Suggestion:
    """What a column may mean.

    Attributes:
        target: ``cycles.administered_at``; "" where nothing is suggested.
        of: what the header itself says of each row, ``2`` of cycle 2, ``platelets``; "" where nothing.
        unit: that the header names; "" where it names none.
    """

    target: str = ""
    of: str = ""
    unit: str = ""


def column_of(target: str) -> Column | None:
    """Return the column ``sheet.column`` of the cohort file; None where there is none."""
    sheet, _, name = target.partition(".")
    if sheet not in SHEET:
        return None
    return next(
        (column for column in SHEET[sheet].columns if column.name == name and column.computed is None), None
    )


def find_header(
    rows: Sequence[Sequence[Cell]], merged: dict[int, list[tuple[int, int, int]]]
) -> tuple[int, int]:
    """Return the first and the last row of the header, from 1.

    It is the row of the most names that are understood, or else of the most texts, with the row above it where cells that
    are merged there stand over several of its names.
    """
    best, score = 1, (-1.0, 0)
    for number, row in enumerate(rows, start=1):
        texts = [as_text(cell) for cell in row]
        names = {text for text in texts if text and not re.fullmatch(r"[\d.,:/ -]+", text)}
        known = sum(bool(suggest(text).target) for text in names)
        if len(names) > 1 and (known + 0.1 * len(names), -number) > score:
            best, score = number, (known + 0.1 * len(names), -number)
    above = best - 1
    wide = len({as_text(cell) for cell in rows[best - 1]} - {""}) if rows else 0
    groups = [one for one in merged.get(above, ()) if 1 < one[1] - one[0] + 1 < wide and one[2] == above]
    return (above if groups else best), best


def names_of(rows: Sequence[Sequence[Cell]], first: int, last: int) -> list[str]:
    """Return the name of each column, "" of those without one; what stands above a name goes before it."""
    header = [[as_text(cell) for cell in row] for row in rows[first - 1 : last]]
    width = max(map(len, header), default=0)
    found = []
    for index in range(width):
        parts: list[str] = []
        for row in header:
            part = " ".join(row[index].split()) if index < len(row) else ""
            if part and part not in parts:
                parts.append(part)
        found.append(" · ".join(parts))
    return found


def suggest(name: str) -> Suggestion:
    """Return what a column of this name may mean."""
    if direct := _own_name(name):
        return Suggestion(direct, unit=_own_unit(direct))
    bracketed = _BRACKETED.findall(name)
    words = normalised(_BRACKETED.sub(" ", name))
    of = ""
    target = _WORDS.get(words, "")
    if not target and (found := _CYCLE.search(words)):
        number = int(found[1] or found[2])
        rest = " ".join(f"{words[: found.start()]} {words[found.end() :]}".split())
        if 1 <= number <= _MOST_CYCLES and rest in _OF_CYCLE:
            target, of = _OF_CYCLE[rest], str(number)
    unit = ""
    if not target:
        # A unit without brackets, as in "Aktivität GBq".
        head, _, last = name.strip().rpartition(" ")
        if head and not bracketed and (shorter := suggest(head)).target:
            column = column_of(shorter.target)
            if column is not None and (unit := find_unit(last, column)):
                return Suggestion(shorter.target, shorter.of, unit)
        return _laboratory(_BRACKETED.sub(" ", name).strip(), bracketed)
    column = column_of(target)
    if column is not None:
        unit = next((unit for text in bracketed if (unit := find_unit(text, column))), "")
    return Suggestion(target, of, unit)


def _own_name(name: str) -> str:
    """Return the target that the registry's own name of a column means, in the first sheet that has it."""
    plain = name.strip().lower()
    if column_of(plain) is not None:
        return plain
    if plain in {"note", "status", "reason", "state", "kind"}:
        return ""
    for sheet in SHEETS:
        if column_of(f"{sheet.name}.{plain}") is not None:
            return f"{sheet.name}.{plain}"
    return ""


def _own_unit(target: str) -> str:
    return find_unit(target.rpartition("_")[2], column) if (column := column_of(target)) is not None else ""


def _laboratory(name: str, bracketed: Sequence[str]) -> Suggestion:
    try:
        analyte = find_analyte(name)
    except ValueError:
        return Suggestion()
    for text in bracketed:
        try:
            return Suggestion("lab_results.value", analyte.code, find_lab_unit(text, analyte=analyte))
        except ValueError:
            continue
    return Suggestion("lab_results.value", analyte.code)
