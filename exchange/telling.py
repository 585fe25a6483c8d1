"""What is said of an imported file, told again in the reader's language: it is made, and stored, in English.

A worker finds the problems of a file, or the page of whoever sent it; who looks at them later may read another language. The
messages are those that are marked in the source, as the catalogues hold them. In words: docs/importing.md.
"""

import gettext as catalogues
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.utils import formats, translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext, pgettext_lazy

from exchange.columns import SHEETS
from imaging.models import LesionState, ReaderRole, Timepoint
from imaging.selectors.response import DERIVED_REASON
from languages.wording import day, gettext_noop, within
from treatments.models import CycleStatus, DoseAdvice

# Those whose sentences stand within problems, the nearest first.
_APPS = ("exchange", "treatments", "imaging", "patients", "accounts")
# Letters that a message of another app needs besides its places, so that it is not taken for another one; and any message.
_LETTERS = 8
_LEAST = 2
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
        for is_whole, before, after, pattern, message in _messages(translation.get_language() or "en"):
            whole = text + ending
            if not (is_whole or depth) or not whole.startswith(before) or not whole.endswith(after):
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
        return formats.date_format(at, "SHORT_DATETIME_FORMAT") + (f" {held[-6:]}" if at.tzinfo else "")
    if found := _NUMBER.fullmatch(held):
        whole, decimals, unit = found[1], found[2] or "", found[3]
        value = Decimal(whole.replace(",", "") + decimals)
        return formats.number_format(value, use_l10n=True, force_grouping="," in whole) + unit
    if held.startswith("“") and held.endswith("”"):
        return pgettext("quoted", "“{text}”").format(text=held[1:-1])
    if name == "records":
        return str(SHEET_WORDS.get(held, held))
    if name == "derived":
        return DERIVED_REASON.retold(held)
    if name == "organ":
        label = f"{held[:1].upper()}{held[1:]}"
        return within(_(label))
    words = _labels()
    return str(words[name, held]) if (name, held) in words else _told(held, depth + 1)


@lru_cache
def _labels() -> Mapping[tuple[str, str], object]:
    """Return labels by the place in which they stand, and as they stand there."""
    with translation.override(settings.LANGUAGE_CODE):
        found: dict[tuple[str, str], object] = {
            (place, str(choice.label).lower()): choice.label
            for place, choices in (("timepoint", Timepoint), ("reader", ReaderRole))
            for choice in choices
        } | {
            ("record", str(sheet.model._meta.verbose_name)): sheet.model._meta.verbose_name
            for sheet in SHEETS
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
def _messages(language: str) -> list[tuple[bool, str, str, re.Pattern[str], str]]:
    """Return the messages with places.

    Of each: whether it may be all of what was stored, what goes before its first and behind its last place, a pattern.
    """
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
            if len(names) == 0 or len(set(names)) < len(names) or n < _LEAST:
                continue
            pattern = "".join(
                f"(?P<{part}>.+?)" if k % 2 else re.escape(part) for k, part in enumerate(parts)
            )
            is_whole = app == "exchange" or n >= _LETTERS
            own.append((n, (is_whole, parts[0], parts[-1], re.compile(pattern, re.DOTALL), message)))
        found += [one for __, one in sorted(own, key=lambda each: -each[0])]
    return found


# What the sheets and columns of the registry's own format are called on pages. Names in files stay as they are.
SHEET_WORDS = {
    "patients": pgettext_lazy("records", "patients"),
    "diagnoses": pgettext_lazy("records", "diagnoses"),
    "performance_statuses": pgettext_lazy("records", "performance statuses"),
    "prior_therapies": pgettext_lazy("records", "prior therapies"),
    "contacts": pgettext_lazy("records", "contacts"),
    "disease_events": pgettext_lazy("records", "disease events"),
    "deaths": pgettext_lazy("records", "deaths"),
    "courses": pgettext_lazy("records", "courses"),
    "cycles": pgettext_lazy("records", "cycles"),
    "discontinuations": pgettext_lazy("records", "discontinuations"),
    "holds": pgettext_lazy("records", "holds"),
    "dose_decisions": pgettext_lazy("records", "dose decisions"),
    "absorbed_doses": pgettext_lazy("records", "absorbed doses"),
    "lab_results": pgettext_lazy("records", "lab results"),
    "adverse_events": pgettext_lazy("records", "adverse events"),
    "somatostatin_analogue_doses": pgettext_lazy("records", "somatostatin analogue doses"),
    "prior_prrt": pgettext_lazy("records", "prior prrt"),
    "studies": pgettext_lazy("records", "studies"),
    "lesions": pgettext_lazy("records", "lesions"),
    "measurements": pgettext_lazy("records", "measurements"),
    "readings": pgettext_lazy("records", "readings"),
}
COLUMN_WORDS = {
    "registry_number": pgettext_lazy("column", "registry number"),
    "sex": pgettext_lazy("column", "sex"),
    "birth_date": pgettext_lazy("column", "birth date"),
    "mrn": pgettext_lazy("column", "MRN"),
    "family_name": pgettext_lazy("column", "family name"),
    "given_names": pgettext_lazy("column", "given names"),
    "tumour_type": pgettext_lazy("column", "tumour type"),
    "primary_site": pgettext_lazy("column", "primary site"),
    "diagnosed_on": pgettext_lazy("column", "diagnosed on"),
    "who_grade": pgettext_lazy("column", "who grade"),
    "ki67": pgettext_lazy("column", "ki67"),
    "functional_syndrome": pgettext_lazy("column", "functional syndrome"),
    "stage": pgettext_lazy("column", "stage"),
    "metastatic_sites": pgettext_lazy("column", "metastatic sites"),
    "assessed_on": pgettext_lazy("column", "assessed on"),
    "ecog": pgettext_lazy("column", "ecog"),
    "note": pgettext_lazy("column", "note"),
    "kind": pgettext_lazy("column", "kind"),
    "agent": pgettext_lazy("column", "agent"),
    "started_on": pgettext_lazy("column", "started on"),
    "ended_on": pgettext_lazy("column", "ended on"),
    "known_alive_on": pgettext_lazy("column", "known alive on"),
    "source": pgettext_lazy("column", "source"),
    "occurred_on": pgettext_lazy("column", "occurred on"),
    "died_on": pgettext_lazy("column", "died on"),
    "cause": pgettext_lazy("column", "cause"),
    "course_number": pgettext_lazy("column", "course number"),
    "protocol_code": pgettext_lazy("column", "protocol code"),
    "protocol_version": pgettext_lazy("column", "protocol version"),
    "intent": pgettext_lazy("column", "intent"),
    "cycle_number": pgettext_lazy("column", "cycle number"),
    "planned_on": pgettext_lazy("column", "planned on"),
    "set_on": pgettext_lazy("column", "set on"),
    "status": pgettext_lazy("column", "status"),
    "planned_activity": pgettext_lazy("column", "planned activity"),
    "cancel_reason": pgettext_lazy("column", "cancel reason"),
    "administered_at": pgettext_lazy("column", "administered at"),
    "prescribed_activity": pgettext_lazy("column", "prescribed activity"),
    "administered_activity": pgettext_lazy("column", "administered activity"),
    "syringe_activity": pgettext_lazy("column", "syringe activity"),
    "syringe_measured_at": pgettext_lazy("column", "syringe measured at"),
    "residual_activity": pgettext_lazy("column", "residual activity"),
    "residual_measured_at": pgettext_lazy("column", "residual measured at"),
    "infusion_ended_at": pgettext_lazy("column", "infusion ended at"),
    "volume": pgettext_lazy("column", "volume"),
    "amino_acid_regimen": pgettext_lazy("column", "amino acid regimen"),
    "amino_acid": pgettext_lazy("column", "amino acid"),
    "antiemetic": pgettext_lazy("column", "antiemetic"),
    "body_weight": pgettext_lazy("column", "body weight"),
    "venous_access": pgettext_lazy("column", "venous access"),
    "is_extravasated": pgettext_lazy("column", "is extravasated"),
    "extravasated": pgettext_lazy("column", "extravasated"),
    "staff": pgettext_lazy("column", "staff"),
    "lot": pgettext_lazy("column", "lot"),
    "deviation_explanation": pgettext_lazy("column", "deviation explanation"),
    "confirmed_warnings": pgettext_lazy("column", "confirmed warnings"),
    "confirmation_reason": pgettext_lazy("column", "confirmation reason"),
    "discontinued_on": pgettext_lazy("column", "discontinued on"),
    "after_cycle": pgettext_lazy("column", "after cycle"),
    "main_reason": pgettext_lazy("column", "main reason"),
    "further_reasons": pgettext_lazy("column", "further reasons"),
    "held_on": pgettext_lazy("column", "held on"),
    "reason": pgettext_lazy("column", "reason"),
    "review_on": pgettext_lazy("column", "review on"),
    "resumed_on": pgettext_lazy("column", "resumed on"),
    "decided_at": pgettext_lazy("column", "decided at"),
    "advice": pgettext_lazy("column", "advice"),
    "advice_facts": pgettext_lazy("column", "advice facts"),
    "advice_source": pgettext_lazy("column", "advice source"),
    "decision": pgettext_lazy("column", "decision"),
    "organ": pgettext_lazy("column", "organ"),
    "lesion": pgettext_lazy("column", "lesion"),
    "absorbed_dose": pgettext_lazy("column", "absorbed dose"),
    "method": pgettext_lazy("column", "method"),
    "analyte": pgettext_lazy("column", "analyte"),
    "taken_at": pgettext_lazy("column", "taken at"),
    "value": pgettext_lazy("column", "value"),
    "unit": pgettext_lazy("column", "unit"),
    "lower_limit": pgettext_lazy("column", "lower limit"),
    "upper_limit": pgettext_lazy("column", "upper limit"),
    "is_unlikely_confirmed": pgettext_lazy("column", "is unlikely confirmed"),
    "original_value": pgettext_lazy("column", "original value"),
    "original_unit": pgettext_lazy("column", "original unit"),
    "term": pgettext_lazy("column", "term"),
    "onset_on": pgettext_lazy("column", "onset on"),
    "grade": pgettext_lazy("column", "grade"),
    "resolved_on": pgettext_lazy("column", "resolved on"),
    "attribution": pgettext_lazy("column", "attribution"),
    "is_serious": pgettext_lazy("column", "is serious"),
    "action": pgettext_lazy("column", "action"),
    "drug": pgettext_lazy("column", "drug"),
    "given_at": pgettext_lazy("column", "given at"),
    "dose": pgettext_lazy("column", "dose"),
    "radiopharmaceutical": pgettext_lazy("column", "radiopharmaceutical"),
    "last_given_on": pgettext_lazy("column", "last given on"),
    "cycles": pgettext_lazy("column", "cycles"),
    "kidney_dose": pgettext_lazy("column", "kidney dose"),
    "marrow_dose": pgettext_lazy("column", "marrow dose"),
    "dose_method": pgettext_lazy("column", "dose method"),
    "timepoint": pgettext_lazy("column", "timepoint"),
    "performed_on": pgettext_lazy("column", "performed on"),
    "modality": pgettext_lazy("column", "modality"),
    "tracer": pgettext_lazy("column", "tracer"),
    "tracer_activity": pgettext_lazy("column", "tracer activity"),
    "uptake": pgettext_lazy("column", "uptake"),
    "injected_at": pgettext_lazy("column", "injected at"),
    "slice_thickness": pgettext_lazy("column", "slice thickness"),
    "liver_suv_mean": pgettext_lazy("column", "liver suv mean"),
    "spleen_suv_mean": pgettext_lazy("column", "spleen suv mean"),
    "krenning_score": pgettext_lazy("column", "krenning score"),
    "study_instance_uid": pgettext_lazy("column", "study instance uid"),
    "suvbw_factor_g_per_bq": pgettext_lazy("column", "suvbw factor g per bq"),
    "suvbw_basis": pgettext_lazy("column", "suvbw basis"),
    "reader_role": pgettext_lazy("column", "reader role"),
    "label": pgettext_lazy("column", "label"),
    "role": pgettext_lazy("column", "role"),
    "site": pgettext_lazy("column", "site"),
    "selection_reason": pgettext_lazy("column", "selection reason"),
    "tracking_uid": pgettext_lazy("column", "tracking uid"),
    "state": pgettext_lazy("column", "state"),
    "size": pgettext_lazy("column", "size"),
    "parts": pgettext_lazy("column", "parts"),
    "merged_into": pgettext_lazy("column", "merged into"),
    "suv_max": pgettext_lazy("column", "suv max"),
    "is_draft": pgettext_lazy("column", "is draft"),
    "overall_response": pgettext_lazy("column", "overall response"),
    "new_lesions": pgettext_lazy("column", "new lesions"),
    "override_reason": pgettext_lazy("column", "override reason"),
}
