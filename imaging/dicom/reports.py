"""Measurement reports (TID 1500): diameters and SUVmax of tracked lesions.

highdicom reads them where they keep to the template; a walk over the tree reads those of other makers. Source: DICOM PS3.16
TID 1500, 1411 and 1419.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pydicom import Dataset
from pydicom.sr.coding import Code

from imaging.dicom import headers
from imaging.dicom.facts import ReportedMeasurement

TRACKING_IDENTIFIER = Code("112039", "DCM", "Tracking Identifier")
TRACKING_UID = Code("112040", "DCM", "Tracking Unique Identifier")
FINDING_SITE = Code("363698007", "SCT", "Finding Site")
FINDING_CATEGORY = Code("276214006", "SCT", "Finding category")
TARGET = Code("112074", "DCM", "Target Lesion")
NON_TARGET = Code("112075", "DCM", "Non-Target Lesion")
MEASUREMENT_GROUP = Code("125007", "DCM", "Measurement Group")
LONG_AXIS = Code("103339001", "SCT", "Long axis")
SHORT_AXIS = Code("103340004", "SCT", "Short axis")
# What makers who draw one line call it; taken as the long axis where that is not given.
DIAMETERS = (Code("81827009", "SCT", "Diameter"), Code("410668003", "SCT", "Length"))
SUVBW = Code("126401", "DCM", "SUVbw")
MAXIMUM = Code("56851009", "SCT", "Maximum")
DERIVATION = Code("121401", "DCM", "Derivation")
MILLIMETRES = {"mm": Decimal(1), "cm": Decimal(10), "m": Decimal(1000)}
SUV_UNITS = {"g/ml{suvbw}", "{suvbw}g/ml", "g/ml"}
MOST_MM = Decimal(2_000)
MOST_SUV = Decimal(10_000)
NOTHING = Code("", "", "")  # no code: pydicom cannot compare one with None
DEEPEST = 30  # a report nests 6 levels


def read_report(dataset: Dataset) -> list[ReportedMeasurement]:
    """Return what a TID 1500 report measured, a lesion each, without what it says nothing of.

    Raises:
        Exception: the report is broken; pydicom has no one error for that.
    """
    found = _by_highdicom(dataset)
    if found is None:
        found = [_measurement(_contents(group)) for group in _groups(dataset, 0)]
    return joined(one for one in found if one is not None)


def joined(measurements: Iterable[ReportedMeasurement]) -> list[ReportedMeasurement]:
    """Join what is said of one lesion in several places (diameter on CT, SUV on PET), unless it differs."""
    found: dict[tuple[str, str, int], ReportedMeasurement] = {}
    for one in measurements:
        for again in range(1_000):
            key = (one.tracking_uid, "" if one.tracking_uid else one.tracking_identifier, again)
            other = found.get(key)
            if other is None:
                found[key] = one
                break
            if not _differ(one, other):
                more = {name: getattr(one, name) for name in _JOINED if getattr(other, name) in (None, "")}
                found[key] = replace(other, **more)
                break
    return list(found.values())


_JOINED = ("finding_site", "role", "long_axis_mm", "short_axis_mm", "suv_max")


def _differ(one: ReportedMeasurement, other: ReportedMeasurement) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in _JOINED[1:]]
    return any(a is not None and b is not None and a != b for a, b in pairs)


# What both ways of reading end in: a group's contents, as concept, value and more

Content = tuple[Code, Any, Code, Code]
"""Name, value (text, Code or Decimal), unit of a number, derivation of a number."""


def _measurement(contents: Iterable[Content]) -> ReportedMeasurement | None:
    """Return one lesion, or None where its group holds no diameter and no SUVmax."""
    label = uid = site = ""
    role: str | None = None
    sizes: dict[Code, Decimal] = {}
    suv_max: Decimal | None = None
    for name, value, unit, derivation in contents:
        if name == TRACKING_IDENTIFIER and isinstance(value, str):
            label = value.strip(" \0")[:64]
        elif name == TRACKING_UID and isinstance(value, str):
            uid = value.strip(" \0") if re.fullmatch(r"[0-9.]{1,64}", value.strip(" \0")) else ""
        elif name == FINDING_SITE and isinstance(value, Code):
            site = value.meaning.strip(" \0")[:64]
        elif isinstance(value, Code):
            # The category stands under several names; its code says enough.
            role = {TARGET: "target", NON_TARGET: "non_target"}.get(value, role)
        elif isinstance(value, Decimal):
            scale = MILLIMETRES.get(unit.value)
            if scale is not None and derivation in (NOTHING, MAXIMUM) and 0 < value * scale <= MOST_MM:
                sizes.setdefault(name, (value * scale).quantize(Decimal("0.1"), ROUND_HALF_UP))
            elif name == SUVBW and derivation == MAXIMUM and unit.value.casefold() in SUV_UNITS:
                suv_max = (
                    value.quantize(Decimal("0.01"), ROUND_HALF_UP) if 0 <= value <= MOST_SUV else suv_max
                )
    long_axis = next((sizes[name] for name in (LONG_AXIS, *DIAMETERS) if name in sizes), None)
    short_axis = sizes.get(SHORT_AXIS)
    if (long_axis is None and short_axis is None and suv_max is None) or not (label or uid):
        return None
    return ReportedMeasurement(label or uid, uid, site, role, long_axis, short_axis, suv_max)


def _by_highdicom(dataset: Dataset) -> list[ReportedMeasurement | None] | None:
    """Read with highdicom; None where it does not take the file."""
    # Half a second to import, which only a report is worth.
    from highdicom import sr

    kinds: dict[str, Any] = {"22": sr.EnhancedSR, "33": sr.ComprehensiveSR, "34": sr.Comprehensive3DSR}
    kind = kinds.get(headers.text(dataset, "SOPClassUID").rpartition(".")[2])
    if kind is None:
        return None
    try:
        content = kind.from_dataset(dataset).content
        groups = [
            *content.get_planar_roi_measurement_groups(),
            *content.get_volumetric_roi_measurement_groups(),
            *content.get_image_measurement_groups(),
        ]
        if len(groups) < sum(1 for _ in _groups(dataset, 0)):
            return None
        return [_measurement(_highdicom_contents(group)) for group in groups]
    except Exception:
        return None


def _highdicom_contents(group: Any) -> Iterator[Content]:
    yield TRACKING_IDENTIFIER, str(group.tracking_identifier or ""), NOTHING, NOTHING
    yield TRACKING_UID, str(group.tracking_uid or ""), NOTHING, NOTHING
    for site in group.finding_sites:
        yield FINDING_SITE, _plain(site.value), NOTHING, NOTHING
    if group.finding_category is not None:
        yield FINDING_CATEGORY, _plain(group.finding_category), NOTHING, NOTHING
    for evaluation in group.get_qualitative_evaluations():
        yield _plain(evaluation.name), _plain(evaluation.value), NOTHING, NOTHING
    for measured in group.get_measurements():
        number = _number(measured.value)
        if number is not None:
            derivation = _plain(measured.derivation) if measured.derivation is not None else NOTHING
            yield _plain(measured.name), number, _plain(measured.unit), derivation


def _plain(code: Any) -> Code:
    """Return a code with its retired SNOMED form replaced, so that equal ones are equal as keys too."""
    found = Code(str(code.value), str(code.scheme_designator), str(code.meaning))
    for known in _KNOWN:
        if found == known:
            return Code(known.value, known.scheme_designator, found.meaning)
    return Code(found.value, found.scheme_designator, found.meaning)


_KNOWN = (FINDING_SITE, TARGET, NON_TARGET, LONG_AXIS, SHORT_AXIS, *DIAMETERS, SUVBW, MAXIMUM, DERIVATION)


def _number(value: Any) -> Decimal | None:
    return headers.as_number(str(value))


# The walk


def _groups(item: Dataset, depth: int) -> Iterator[Dataset]:
    """Yield every measurement group of a tree."""
    if depth > DEEPEST:
        return
    if _name(item) == MEASUREMENT_GROUP:
        yield item
        return
    for child in headers.items(item, "ContentSequence"):
        yield from _groups(child, depth + 1)


def _contents(group: Dataset) -> Iterator[Content]:
    for item in headers.items(group, "ContentSequence"):
        name, kind = _name(item), headers.text(item, "ValueType")
        if kind == "TEXT":
            yield name, headers.text(item, "TextValue"), NOTHING, NOTHING
        elif kind == "UIDREF":
            yield name, headers.text(item, "UID"), NOTHING, NOTHING
        elif kind == "CODE":
            yield name, _first_code(item, "ConceptCodeSequence"), NOTHING, NOTHING
        elif kind == "NUM":
            for measured in headers.items(item, "MeasuredValueSequence")[:1]:
                derivations = [
                    _first_code(child, "ConceptCodeSequence")
                    for child in headers.items(item, "ContentSequence")
                    if _name(child) == DERIVATION
                ]
                yield (
                    name,
                    headers.number(measured, "NumericValue"),
                    _first_code(measured, "MeasurementUnitsCodeSequence"),
                    derivations[0] if derivations else NOTHING,
                )


def _name(item: Dataset) -> Code:
    return _first_code(item, "ConceptNameCodeSequence")


def _first_code(item: Dataset, keyword: str) -> Code:
    for code in headers.items(item, keyword)[:1]:
        value, scheme = headers.text(code, "CodeValue"), headers.text(code, "CodingSchemeDesignator")
        if value and scheme:
            return _plain(Code(value, scheme, headers.text(code, "CodeMeaning")))
    return NOTHING
