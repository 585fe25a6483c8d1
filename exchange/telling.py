"""What is said of an imported file, told again in the reader's language: it is made, and stored, in English.

A worker finds the problems of a file, or the page of whoever sent it; who looks at them later may read another language. The
messages are those that are marked in the source, as the catalogues hold them. In words: docs/importing.md.
"""

import gettext as catalogues
import re
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from django.apps import apps
from django.utils import formats, translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from imaging.models import LesionState, ReaderRole, Timepoint
from languages.wording import Words, day, gettext_noop
from treatments.models import CycleStatus, DoseAdvice

# Those whose sentences stand within problems, the nearest first.
_APPS = ("exchange", "treatments", "imaging", "patients", "accounts")
_LETTERS = 8  # that a message needs besides its places, so that it is not taken for another one
# One message for the many that differ in a number alone.
_ALIKE = (
    gettext_noop("a number with a decimal point, such as {as_is}"),
    gettext_noop("a percentage such as {as_is}"),
    gettext_noop("text of at most {n} characters"),
    gettext_noop("a whole number from {least}"),
)
# Places whose text is what a cell or another programme says.
_AS_THEY_ARE = frozenset(
    {
        "as_is",
        "error",
        "codes",
        "states",
        "units",
        "columns",
        "sheet",
        "sheets",
        "files",
        "known",
        "key",
        "beside",
        "mrn",
    }
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}\S*", re.ASCII)
_NUMBER = re.compile(r"(-?[1-9]\d{0,2}(?:,\d{3})+|-?(?:0|[1-9]\d*))(\.\d+)?((?: \S+)?)", re.ASCII)
_LED = re.compile(r"([a-z][a-z0-9_]*): (.+)", re.DOTALL)
_DEEPEST = 5


def told(text: str) -> str:
    """Return a stored sentence, or a part of one, in the reader's language; as it was stored where no message fits it."""
    if not text or (translation.get_language() or "en").startswith("en"):
        return text
    return _told(text, 0)


def _told(text: str, depth: int) -> str:
    for ending in ("", "."):  # a sentence is a part of a problem without its full stop
        if (said := _(text + ending)) != text + ending:
            return said.removesuffix(ending)
    if depth > _DEEPEST:
        return text
    for ending in ("", "."):
        for before, after, pattern, message in _messages(translation.get_language() or "en"):
            whole = text + ending
            if not whole.startswith(before) or not whole.endswith(after):
                continue
            if found := pattern.fullmatch(whole):
                places = {name: _place(name, held, depth) for name, held in found.groupdict().items()}
                return _(message).format(**places).removesuffix(ending)
    if found := _LED.fullmatch(text):  # a column or sheet, and what is wrong with it
        return f"{found[1]}: {_told(found[2], depth + 1)}"
    return text


def _place(name: str, held: str, depth: int) -> str:
    """Return what stands in a place of a message: a day, a number, words or a sentence of its own."""
    if name in _AS_THEY_ARE:
        return held
    if _DAY.fullmatch(held):
        return day(datetime.fromisoformat(held).date())
    if _MOMENT.fullmatch(held):
        at = datetime.fromisoformat(held)
        return formats.date_format(at, "SHORT_DATETIME_FORMAT") + (f" {at:%z}" if at.tzinfo else "")
    if found := _NUMBER.fullmatch(held):
        whole, decimals, unit = found[1], found[2] or "", found[3]
        value = Decimal(whole.replace(",", "") + decimals)
        return formats.number_format(value, use_l10n=True, force_grouping="," in whole) + unit
    if held.startswith("“") and held.endswith("”"):
        return pgettext("quoted", "“{text}”").format(text=held[1:-1])
    words = _labels()
    return str(words[name, held]) if (name, held) in words else _told(held, depth + 1)


@lru_cache
def _labels() -> dict[tuple[str, str], object]:
    """Return labels by the place in which they stand, and as they stand there."""
    with translation.override("en"):
        found = {
            (place, str(choice.label).lower()): choice.label
            for place, choices in (("timepoint", Timepoint), ("reader", ReaderRole))
            for choice in choices
        }
    of_codes = (
        ("status", CycleStatus),
        ("state", LesionState),
        ("decision", DoseAdvice),
        ("advice", DoseAdvice),
    )
    return found | {
        (place, str(choice.value)): choice.label for place, choices in of_codes for choice in choices
    }


@lru_cache
def _messages(language: str) -> list[tuple[str, str, re.Pattern[str], str]]:
    """Return the messages with places: what goes before the first, and behind the last one, and a pattern of the whole."""
    found = []
    for app in _APPS:
        folder = Path(apps.get_app_config(app).path) / "locale"
        catalogue = catalogues.translation("django", folder, [translation.to_locale(language)], fallback=True)
        own = []
        for message in getattr(catalogue, "_catalog", ()):
            if not isinstance(message, str) or "\4" in message or "%(" in message:
                continue
            parts = re.split(r"\{(\w+)\}", message)
            n = sum(len(re.findall(r"[^\W\d]", part)) for part in parts[::2])
            names = parts[1::2]
            if len(names) == 0 or len(set(names)) < len(names) or n < (0 if app == "exchange" else _LETTERS):
                continue
            pattern = "".join(
                f"(?P<{part}>.+?)" if k % 2 else re.escape(part) for k, part in enumerate(parts)
            )
            own.append((n, (parts[0], parts[-1], re.compile(pattern, re.DOTALL), message)))
        found += [one for __, one in sorted(own, key=lambda each: -each[0])]
    return found


# What the sheets and columns of the registry's own format are called on pages. Names in files stay as they are.
SHEET_WORDS = Words(
    {
        "patients": gettext_noop("patients"),
        "diagnoses": gettext_noop("diagnoses"),
        "performance_statuses": gettext_noop("performance statuses"),
        "prior_therapies": gettext_noop("prior therapies"),
        "contacts": gettext_noop("contacts"),
        "disease_events": gettext_noop("disease events"),
        "deaths": gettext_noop("deaths"),
        "courses": gettext_noop("courses"),
        "cycles": gettext_noop("cycles"),
        "discontinuations": gettext_noop("discontinuations"),
        "holds": gettext_noop("holds"),
        "dose_decisions": gettext_noop("dose decisions"),
        "absorbed_doses": gettext_noop("absorbed doses"),
        "lab_results": gettext_noop("lab results"),
        "adverse_events": gettext_noop("adverse events"),
        "somatostatin_analogue_doses": gettext_noop("somatostatin analogue doses"),
        "prior_prrt": gettext_noop("prior prrt"),
        "studies": gettext_noop("studies"),
        "lesions": gettext_noop("lesions"),
        "measurements": gettext_noop("measurements"),
        "readings": gettext_noop("readings"),
    }
)
COLUMN_WORDS = Words(
    {
        "registry_number": gettext_noop("registry number"),
        "sex": gettext_noop("sex"),
        "birth_date": gettext_noop("birth date"),
        "mrn": gettext_noop("MRN"),
        "family_name": gettext_noop("family name"),
        "given_names": gettext_noop("given names"),
        "tumour_type": gettext_noop("tumour type"),
        "primary_site": gettext_noop("primary site"),
        "diagnosed_on": gettext_noop("diagnosed on"),
        "who_grade": gettext_noop("who grade"),
        "ki67": gettext_noop("ki67"),
        "functional_syndrome": gettext_noop("functional syndrome"),
        "stage": gettext_noop("stage"),
        "metastatic_sites": gettext_noop("metastatic sites"),
        "assessed_on": gettext_noop("assessed on"),
        "ecog": gettext_noop("ecog"),
        "note": gettext_noop("note"),
        "kind": gettext_noop("kind"),
        "agent": gettext_noop("agent"),
        "started_on": gettext_noop("started on"),
        "ended_on": gettext_noop("ended on"),
        "known_alive_on": gettext_noop("known alive on"),
        "source": gettext_noop("source"),
        "occurred_on": gettext_noop("occurred on"),
        "died_on": gettext_noop("died on"),
        "cause": gettext_noop("cause"),
        "course_number": gettext_noop("course number"),
        "protocol_code": gettext_noop("protocol code"),
        "protocol_version": gettext_noop("protocol version"),
        "intent": gettext_noop("intent"),
        "cycle_number": gettext_noop("cycle number"),
        "planned_on": gettext_noop("planned on"),
        "set_on": gettext_noop("set on"),
        "status": gettext_noop("status"),
        "planned_activity": gettext_noop("planned activity"),
        "cancel_reason": gettext_noop("cancel reason"),
        "administered_at": gettext_noop("administered at"),
        "prescribed_activity": gettext_noop("prescribed activity"),
        "administered_activity": gettext_noop("administered activity"),
        "syringe_activity": gettext_noop("syringe activity"),
        "syringe_measured_at": gettext_noop("syringe measured at"),
        "residual_activity": gettext_noop("residual activity"),
        "residual_measured_at": gettext_noop("residual measured at"),
        "infusion_ended_at": gettext_noop("infusion ended at"),
        "volume": gettext_noop("volume"),
        "amino_acid_regimen": gettext_noop("amino acid regimen"),
        "amino_acid": gettext_noop("amino acid"),
        "antiemetic": gettext_noop("antiemetic"),
        "body_weight": gettext_noop("body weight"),
        "venous_access": gettext_noop("venous access"),
        "is_extravasated": gettext_noop("is extravasated"),
        "extravasated": gettext_noop("extravasated"),
        "staff": gettext_noop("staff"),
        "lot": gettext_noop("lot"),
        "deviation_explanation": gettext_noop("deviation explanation"),
        "confirmed_warnings": gettext_noop("confirmed warnings"),
        "confirmation_reason": gettext_noop("confirmation reason"),
        "discontinued_on": gettext_noop("discontinued on"),
        "after_cycle": gettext_noop("after cycle"),
        "main_reason": gettext_noop("main reason"),
        "further_reasons": gettext_noop("further reasons"),
        "held_on": gettext_noop("held on"),
        "reason": gettext_noop("reason"),
        "review_on": gettext_noop("review on"),
        "resumed_on": gettext_noop("resumed on"),
        "decided_at": gettext_noop("decided at"),
        "advice": gettext_noop("advice"),
        "advice_facts": gettext_noop("advice facts"),
        "advice_source": gettext_noop("advice source"),
        "decision": gettext_noop("decision"),
        "organ": gettext_noop("organ"),
        "lesion": gettext_noop("lesion"),
        "absorbed_dose": gettext_noop("absorbed dose"),
        "method": gettext_noop("method"),
        "analyte": gettext_noop("analyte"),
        "taken_at": gettext_noop("taken at"),
        "value": gettext_noop("value"),
        "unit": gettext_noop("unit"),
        "lower_limit": gettext_noop("lower limit"),
        "upper_limit": gettext_noop("upper limit"),
        "is_unlikely_confirmed": gettext_noop("is unlikely confirmed"),
        "original_value": gettext_noop("original value"),
        "original_unit": gettext_noop("original unit"),
        "term": gettext_noop("term"),
        "onset_on": gettext_noop("onset on"),
        "grade": gettext_noop("grade"),
        "resolved_on": gettext_noop("resolved on"),
        "attribution": gettext_noop("attribution"),
        "is_serious": gettext_noop("is serious"),
        "action": gettext_noop("action"),
        "drug": gettext_noop("drug"),
        "given_at": gettext_noop("given at"),
        "dose": gettext_noop("dose"),
        "radiopharmaceutical": gettext_noop("radiopharmaceutical"),
        "last_given_on": gettext_noop("last given on"),
        "cycles": gettext_noop("cycles"),
        "kidney_dose": gettext_noop("kidney dose"),
        "marrow_dose": gettext_noop("marrow dose"),
        "dose_method": gettext_noop("dose method"),
        "timepoint": gettext_noop("timepoint"),
        "performed_on": gettext_noop("performed on"),
        "modality": gettext_noop("modality"),
        "tracer": gettext_noop("tracer"),
        "tracer_activity": gettext_noop("tracer activity"),
        "uptake": gettext_noop("uptake"),
        "injected_at": gettext_noop("injected at"),
        "slice_thickness": gettext_noop("slice thickness"),
        "liver_suv_mean": gettext_noop("liver suv mean"),
        "spleen_suv_mean": gettext_noop("spleen suv mean"),
        "krenning_score": gettext_noop("krenning score"),
        "study_instance_uid": gettext_noop("study instance uid"),
        "suvbw_factor_g_per_bq": gettext_noop("suvbw factor g per bq"),
        "suvbw_basis": gettext_noop("suvbw basis"),
        "reader_role": gettext_noop("reader role"),
        "label": gettext_noop("label"),
        "role": gettext_noop("role"),
        "site": gettext_noop("site"),
        "selection_reason": gettext_noop("selection reason"),
        "tracking_uid": gettext_noop("tracking uid"),
        "state": gettext_noop("state"),
        "size": gettext_noop("size"),
        "parts": gettext_noop("parts"),
        "merged_into": gettext_noop("merged into"),
        "suv_max": gettext_noop("suv max"),
        "is_draft": gettext_noop("is draft"),
        "overall_response": gettext_noop("overall response"),
        "new_lesions": gettext_noop("new lesions"),
        "override_reason": gettext_noop("override reason"),
    }
)
