"""Whose files they are: held while an upload is compared with a patient, shown to nobody, kept nowhere."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from languages.wording import gettext as _

BIRTH_DATE_FORMS = ("%Y%m%d", "%d%m%Y", "%m%d%Y")
SEXES = {"M": "male", "F": "female", "O": "other"}


@dataclass(frozen=True, repr=False, slots=True)
class Identity:
    """What the files say of the person. Blank or None where they say nothing."""

    patient_id: str = ""
    name: str = ""
    birth_date: date | None = None
    sex: str = ""  # M, F or O

    def __repr__(self) -> str:
        return "Identity(…)"

    def differs_from(self, other: "Identity") -> bool:
        """Return whether two files of one upload cannot be of one person."""
        pairs = [
            (_plain(self.patient_id), _plain(other.patient_id)),
            (self.birth_date, other.birth_date),
            (self.sex, other.sex),
        ]
        if not (self.patient_id and other.patient_id):
            # Names are written in too many ways to tell people apart where an ID does.
            pairs.append((_name(self.name), _name(other.name)))
        return any(one and another and one != another for one, another in pairs)

    def joined(self, other: "Identity") -> "Identity":
        """Return the identity with what only ``other`` says."""
        return Identity(
            self.patient_id or other.patient_id,
            self.name or other.name,
            self.birth_date or other.birth_date,
            self.sex or other.sex,
        )

    def is_named_in(self, text: str) -> bool:
        """Return whether a free text of the files names the person: by a part of the name, the ID or the birth date."""
        words = text.casefold()
        parts = [part for part in _name(self.name).split() if len(part) > 2]
        parts.append(self.patient_id.strip().casefold())
        if any(part in words for part in parts if part):
            return True
        born = self.birth_date
        digits = re.sub(r"\D", "", text)
        return born is not None and any(f"{born:{form}}" in digits for form in BIRTH_DATE_FORMS)


def mismatches(
    identity: Identity, *, mrn: str, birth_date: date | None, sex: str, family_name: str = ""
) -> list[str]:
    """Return what speaks against the files being this patient's, a sentence each.

    The sentences repeat nothing of the files: they may be another person's.

    Args:
        mrn: the patient's number at the hospital; blank: not known.
        sex: "female", "male" or another word of the registry.
        family_name: looked at where the IDs do not settle it; blank: not known.
    """
    found = []
    in_file, in_registry = _plain(identity.patient_id), _plain(mrn)
    if in_file and in_registry and in_file != in_registry:
        if in_file.lstrip("0") == in_registry.lstrip("0"):
            found.append(_("The patient ID in the files is this patient's MRN but for leading zeros."))
        else:
            found.append(_("The patient ID in the files is not this patient's MRN."))
    if not in_file or in_file != in_registry:
        told, known = _letters(identity.name), _letters(family_name)
        if told and known and not told & known:
            found.append(_("The name in the files is another one, or written in another way."))
    if identity.birth_date and birth_date and identity.birth_date != birth_date:
        parts = {
            part
            for part in ("day", "month", "year")
            if getattr(identity.birth_date, part) != getattr(birth_date, part)
        }
        found.append(_birth_date_differs(parts))
    said = SEXES.get(identity.sex, "")
    if said in {"male", "female"} and sex and said != sex:
        found.append(_("The sex in the files is not this patient's."))
    return found


def _birth_date_differs(parts: set[str]) -> str:
    if parts == {"day"}:
        return _("The birth date in the files is another one: it differs in the day.")
    if parts == {"month"}:
        return _("The birth date in the files is another one: it differs in the month.")
    if parts == {"year"}:
        return _("The birth date in the files is another one: it differs in the year.")
    if parts == {"day", "month"}:
        return _("The birth date in the files is another one: it differs in the day and month.")
    if parts == {"day", "year"}:
        return _("The birth date in the files is another one: it differs in the day and year.")
    if parts == {"month", "year"}:
        return _("The birth date in the files is another one: it differs in the month and year.")
    return _("The birth date in the files is another one: it differs in the day and month and year.")


def not_compared(identity: Identity, *, mrn: str, birth_date: date | None, sex: str) -> list[str]:
    """Return what could not be compared since the files or the registry say nothing of it, as words for a list."""
    pairs = {
        _("patient ID"): (identity.patient_id.strip(), mrn.strip()),
        _("birth date"): (identity.birth_date, birth_date),
        _("sex"): (SEXES.get(identity.sex, ""), sex),
    }
    return [words for words, (in_file, in_registry) in pairs.items() if not (in_file and in_registry)]


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()


def _name(text: str) -> str:
    """Return a DICOM person name as plain words: its alphabetic group, without the carets between its parts."""
    return " ".join(text.split("=")[0].replace("^", " ").replace(",", " ").split()).casefold()


_SPELLED = str.maketrans({"ß": "ss", "ø": "o", "æ": "a", "œ": "o", "đ": "d", "ł": "l"})


def _letters(name: str) -> set[str]:
    """Return the words of a name without accents, and an umlaut as its vowel, in whichever way it was written."""
    plain = unicodedata.normalize("NFKD", name.casefold()).translate(_SPELLED)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return set(re.findall(r"\w+", re.sub(r"([aou])e", r"\1", plain).replace("_", " ")))
