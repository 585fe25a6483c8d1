"""Rows of ADSL, ADTTE and ADRS, made of what the registry has derived of a course and of nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from analytics.datasets.identification import Person
from analytics.datasets.source import Course
from analytics.datasets.variables import Row
from analytics.models import ENDPOINTS

PARAMETERS: dict[str, tuple[str, str]] = {  # endpoint: code, in words
    "pfs": ("PFS", "Progression-Free Survival (Days)"),
    "os": ("OS", "Overall Survival (Days)"),
    "ttr": ("TTR", "Time to Response (Days)"),
    "dor": ("DOR", "Duration of Response (Days)"),
    "ttnt": ("TTNT", "Time to Next Anticancer Therapy (Days)"),
    "ttd": ("TTD", "Time to Treatment Discontinuation (Days)"),
}
_KNOWN_ENDED, _NEW_THERAPY, _MISSED, _COMPLETED, _OTHER_END = 1, 2, 3, 4, 5


@dataclass(frozen=True)
class _Basis:
    """What decided a time: in words, where it stands in SDTM, and how a censoring by it is coded."""

    words: str
    domain: str
    variable: str
    censor: int = _KNOWN_ENDED


_BASES: dict[str, _Basis] = {
    "overall_response_pd": _Basis("PROGRESSIVE DISEASE", "RS", "RSDTC", _OTHER_END),
    "clinical_progression": _Basis("CLINICAL PROGRESSION", "CE", "CESTDTC", _OTHER_END),
    "death": _Basis("DEATH", "DM", "DTHDTC", _OTHER_END),
    "last_adequate_assessment": _Basis("LAST ADEQUATE TUMOR ASSESSMENT", "RS", "RSDTC"),
    "time_zero": _Basis("NOTHING KNOWN AFTER TIME ZERO", "EX", "EXSTDTC"),
    "last_known_alive": _Basis("LAST KNOWN ALIVE", "SS", "SSDTC"),
    "new_therapy": _Basis("LAST KNOWN BEFORE NEW ANTICANCER THERAPY", "RS", "RSDTC", _NEW_THERAPY),
    "next_therapy": _Basis("NEW ANTICANCER THERAPY", "CM", "CMSTDTC"),
    "before_death": _Basis("LAST ADEQUATE TUMOR ASSESSMENT BEFORE DEATH", "RS", "RSDTC", _OTHER_END),
    "missed_assessments": _Basis("LAST BEFORE MISSED TUMOR ASSESSMENTS", "RS", "RSDTC", _MISSED),
    "ongoing": _Basis("TREATMENT ONGOING, LAST KNOWN ALIVE", "SS", "SSDTC"),
    "completed": _Basis("TREATMENT COMPLETED", "EX", "EXENDTC", _COMPLETED),
}


def _basis(code: str) -> _Basis:
    """Return a code of the endpoint rules in words; one that is not known here is its own words."""
    kind, _, detail = code.partition(":")
    if kind == "response":
        return _Basis(f"RESPONSE {recist(detail)}", "RS", "RSDTC")
    if kind == "discontinued":
        return _Basis(f"DISCONTINUED: {_upper(detail)}", "DS", "DSSTDTC")
    if kind == "no_response":  # the day on which PFS had its event
        ended = _basis(detail)
        return _Basis(f"NO RESPONSE UNTIL {ended.words}", ended.domain, ended.variable, _OTHER_END)
    return _BASES.get(code) or _Basis(_upper(code), "", "")


def _upper(code: str) -> str:
    return code.replace("_", " ").upper()


_SEXES = {"female": "F", "male": "M", "unknown": "U"}
RECIST = {"CR": 1, "PR": 2, "SD": 3, "NON-CR/NON-PD": 4, "PD": 5, "NE": 6, "MISSING": 7}
SSTR = {"DISAPPEARED": 1, "DECREASED": 2, "UNCHANGED": 3, "INCREASED": 4, "NOT_EVALUABLE": 5, "MISSING": 6}


def recist(code: str) -> str:
    """Return the registry's code of a response as CDISC writes it."""
    return "NON-CR/NON-PD" if code == "NON_CR_NON_PD" else code


def _flag(value: bool) -> str:
    return "Y" if value else "N"


def subject(course: Course, person: Person, study: str) -> Row:
    """Return the row of ADSL."""
    row = course.row
    age = person.age(row["age_years"])
    treated = row["time_zero"] is not None and not row["problem"]
    died = bool(row["os_event"]) or bool(row["death_cause"])
    return {
        "STUDYID": study,
        "USUBJID": person.subject,
        "SUBJID": person.subject,
        "COURSENO": course.course_number,
        "SITEID": person.site(course.centre_code),
        "AGE": age,
        "AGEU": "" if age is None else "YEARS",
        "AGEGR1": "" if age is None else "<65" if age < 65 else ">=65",
        "SEX": _SEXES.get(row["sex"], row["sex"].upper()),
        "TUMTYPE": row["tumour_type"].upper(),
        "PRIMSITE": row["primary_site"].upper(),
        "GRADE": row["who_grade"].upper(),
        "KI67": row["ki67_percent"],
        "FUNCSYND": row["functional_syndrome"].upper(),
        "ECOGBL": row["ecog"],
        "PRIORTH": ";".join(sorted(row["prior_therapies"])).upper(),
        "PROTOCOL": row["protocol"],
        "INTENT": row["intent"].upper(),
        "SUVMAXBL": row["baseline_suv_max"],
        "KRENNBL": row["baseline_krenning"],
        # A division by centre names every centre.
        "STRATUM": person.site(course.stratum) if course.stratum == course.centre_code else course.stratum,
        "SAFFL": _flag(treated),
        "ANLSETFL": _flag(course.is_analysed),
        "FIRSTFL": _flag(row["is_first_course"]),
        "EVALFL": _flag(row["response_evaluable"]),
        "EVALREAS": row["response_evaluable_reason"],
        "PROBLFL": _flag(bool(row["problem"])),
        "TRTSDT": person.date(row["started_on"]),
        "TZERODT": person.date(row["time_zero"]),
        "ENTRYDY": row["entry_days"] if treated else None,
        "EOTSTT": row["status"].upper() if treated else "",
        "NPLANCYC": row["planned_cycles"],
        "NCYCLES": row["cycles_given"],
        "CUMACT": row["cumulative_activity_mbq"],
        "DOSINT": row["dose_intensity_percent"],
        "NDELAY": row["delayed_cycles"],
        "NREDUC": row["reduced_cycles"],
        "DCTREAS": row["discontinuation_reason"].upper(),
        "DCTCYC": row["discontinued_after_cycle"],
        "DTHFL": "Y" if died else "",
        "DTHDT": person.date(row["os_on"]) if row["os_event"] else None,
        "DTHCAUS": row["death_cause"].upper(),
        "LSTALVDT": person.date(row["os_on"]),
        "BOR": recist(row["best_overall_response"]),
        "CBOR": recist(row["confirmed_best_overall_response"]),
        "BSSTR": row["best_sstr_response"].upper(),
    }


def times(course: Course, person: Person, study: str) -> Iterator[Row]:
    """Yield the rows of ADTTE: one for each endpoint that the course has a time of."""
    row = course.row
    sequence = 0
    for endpoint in ENDPOINTS:
        days = row[f"{endpoint}_days"]
        if days is None or not course.is_analysed:
            continue
        sequence += 1
        code, words = PARAMETERS[endpoint]
        event, basis_code = row[f"{endpoint}_event"], row[f"{endpoint}_basis"]
        on: date = row[f"{endpoint}_on"]
        basis = _basis(basis_code)
        # Who responds is there: of the duration of response nobody enters late.
        entry = 0 if endpoint == "dor" else row["entry_days"]
        yield {
            "STUDYID": study,
            "USUBJID": person.subject,
            "COURSENO": course.course_number,
            "ASEQ": sequence,
            "PARAM": words,
            "PARAMCD": code,
            "AVAL": days + 1,
            "AVALU": "DAYS",
            "TTEDAYS": days,
            "ENTRYDY": entry,
            "STARTDT": person.date(on - timedelta(days=days)),
            "ADT": person.date(on),
            "CNSR": 0 if event else basis.censor,
            "EVNTDESC": basis.words if event else "CENSORED",
            "CNSDTDSC": "" if event else basis.words,
            "BASIS": basis_code,
            "SRCDOM": basis.domain,
            "SRCVAR": basis.variable,
            "ANL01FL": "Y" if entry == 0 or days > entry else "",
        }


@dataclass(frozen=True)
class _Assessment:
    timepoint: str
    day: int  # from time zero
    recist: str
    sstr: str


def assessments(row: Mapping[str, Any]) -> list[_Assessment]:
    """Return the assessments that an outcome holds, by day."""
    found = []
    for text in row["responses"]:
        timepoint, day, response, sstr = text.split(":")
        found.append(_Assessment(timepoint, int(day), recist(response), sstr.upper()))
    return found


def relative_day(on: date | None, first: date | None) -> int | None:
    """Return ADY: the day of the first administration is 1, the day before it -1."""
    if on is None or first is None:
        return None
    days = (on - first).days
    return days + 1 if days >= 0 else days


def responses(course: Course, person: Person, study: str) -> Iterator[Row]:
    """Yield the rows of ADRS: each assessment by RECIST 1.1 and by SSTR PET, then the best of each."""
    row = course.row
    if not course.is_analysed:
        return
    zero: date = row["time_zero"]
    found = assessments(row)
    worst = _worst_of_days(found)
    progressed = min((each.day for each in found if each.day >= 0 and each.recist == "PD"), default=None)
    sequence = 0

    def line(parameter: tuple[str, str], category: str, codes: Mapping[str, int], response: str) -> Row:
        nonlocal sequence
        sequence += 1
        value = response or "MISSING"
        return {
            "STUDYID": study,
            "USUBJID": person.subject,
            "COURSENO": course.course_number,
            "ASEQ": sequence,
            "PARAM": parameter[1],
            "PARAMCD": parameter[0],
            "PARCAT1": "Tumor Response",
            "PARCAT3": category,
            "AVISIT": "",
            "ADT": None,
            "ADY": None,
            "DAYS0": None,
            "AVAL": codes.get(value),
            "AVALC": value,
            "ANL01FL": "Y",
            "ANL02FL": "",
        }

    def dated(of: Row, each: _Assessment) -> Row:
        on = zero + timedelta(days=each.day)
        of["ADT"], of["DAYS0"] = person.date(on), each.day
        of["ADY"] = relative_day(on, row["started_on"])
        return of

    for place, each in enumerate(found):
        if each.recist:
            one = dated(line(("OVR", "Overall Response"), "RECIST 1.1", RECIST, each.recist), each)
            one["AVISIT"] = each.timepoint.upper()
            one["ANL01FL"] = "Y" if worst.get(each.day) == place else ""
            if one["ANL01FL"] and (progressed is None or each.day <= progressed):
                one["ANL02FL"] = "Y"
            yield one
        if each.sstr:
            one = dated(line(("SSTR", "SSTR PET Response"), "SSTR PET", SSTR, each.sstr), each)
            one["AVISIT"] = each.timepoint.upper()
            one["ANL01FL"] = "Y" if each.day >= 0 else ""
            yield one

    best = recist(row["best_overall_response"])
    one = line(("BOR", "Best Overall Response"), "RECIST 1.1", RECIST, best)
    first = next((each for each in found if each.day >= 0 and each.recist == best and best), None)
    yield dated(one, first) if first is not None else one
    confirmed = recist(row["confirmed_best_overall_response"])
    yield line(("CBOR", "Confirmed Best Overall Response"), "RECIST 1.1", RECIST, confirmed)
    yield line(("BSSTR", "Best SSTR PET Response"), "SSTR PET", SSTR, row["best_sstr_response"].upper())


def _worst_of_days(found: list[_Assessment]) -> dict[int, int]:
    """Return the day to the place of its worst RECIST response, from time zero on."""
    worst: dict[int, int] = {}
    order = [RECIST["NE"], *(RECIST[code] for code in ("CR", "PR", "SD", "NON-CR/NON-PD", "PD"))]
    for place, each in enumerate(found):
        if each.day < 0 or not each.recist:
            continue
        so_far = worst.get(each.day)
        if so_far is None or order.index(RECIST[each.recist]) > order.index(RECIST[found[so_far].recist]):
            worst[each.day] = place
    return worst
