"""Lesions of the synthetic patients, such that the response of every study follows from them by rule.

A story says which response a study is to have. Here sizes are drawn until the rule gives it (imaging/rules/recist.py), and
what the rule says is what the reading gets. Everything random comes from a ``random.Random`` of each course's own, so that
the story stays as it is: its dates, its fates, and every figure that follows from them.
"""

import random
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from exchange.published.timelines import Cohort, Row
from imaging.rules import recist
from imaging.rules.recist import Finding, LesionRole, State

_TRIES = 500
_MERGES, _SPLITS = 0.02, 0.04  # how often, of what was measured
_DIFFERENCE = Decimal("0.14")  # between two readers of one size, at most
_SEEN_BY_ONE_ALONE = 0.4  # of the courses with a stable study
_ONLY_NON_TARGET = 0.12  # of those who never respond
_ORGAN_OF_PRIMARY = {
    "pancreas": "pancreas",
    "small_intestine": "mesentery",
    "caecum": "colon_rectum",
    "appendix": "mesentery",
    "stomach": "stomach",
    "colon_rectum": "colon_rectum",
    "lung": "lung",
    "adrenal": "adrenal",
    "paraganglia": "paraganglia",
}
# Organ to mean, standard deviation, least and most of the diameters chosen at baseline, mm; of a node the short axis.
_SIZES_MM = {"liver": (34, 14, 13, 85), "lymph_node": (20, 4, 15, 34)}
_OTHER_SIZES_MM = (27, 9, 12, 60)
_SITES = {
    "liver": ("segment II", "segment IV", "segment V", "segment VI", "segment VII", "segment VIII"),
    "lymph_node": ("retroperitoneal", "mesenteric root", "coeliac", "left supraclavicular"),
    "bone": ("L3", "Th11", "left iliac bone", "right femur", "sacrum"),
    "peritoneum": ("pelvis", "right paracolic gutter", "omentum"),
}


@dataclass
class _Lesion:
    """One lesion of a course: what is chosen of it, and what is found by study."""

    label: str
    role: LesionRole
    organ: str
    site: str
    baseline_mm: int  # of targets; 0 for others
    baseline_suv: float
    findings: dict[str, Finding] = field(default_factory=dict)
    suv_max: dict[str, Decimal] = field(default_factory=dict)

    @property
    def is_node(self) -> bool:
        return self.organ == "lymph_node"

    def for_rule(self) -> recist.Lesion:
        return recist.Lesion(self.label, self.role, self.is_node, self.organ, self.findings)


def add_lesions(cohort: Cohort, *, seed: str, zone: ZoneInfo, is_read_twice: bool = False) -> None:
    """Add lesions, measurements and what surrounds each PET to a cohort, and write what follows into its readings.

    Args:
        seed: begins the seed of every course's own random numbers.
        zone: of the centre.
        is_read_twice: a second reader measures the same lesions, and an adjudicator decides where the two differ.
    """
    sites = {row["registry_number"]: row for row in cohort.sheets["diagnoses"]}
    studies: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in cohort.sheets["studies"]:
        studies[row["registry_number"], row["course_number"]].append(row)
    readings = {_key(row): row for row in cohort.sheets["readings"]}
    for (number, course), rows in studies.items():
        rows.sort(key=lambda row: row["performed_on"])
        rng = random.Random(f"{seed} lesions {number} {course}")  # noqa: S311 - the same patients every time is the point
        of_course = [readings.get(_key(row)) for row in rows]
        _Course(cohort, rng, rows, of_course, sites[number]).add(zone, is_read_twice=is_read_twice)


def _key(row: Row) -> str:
    names = ("registry_number", "course_number", "timepoint", "performed_on", "modality")
    return " ".join(str(row[name]) for name in names)


class _Course:
    """The lesions of one course, through its studies."""

    def __init__(
        self,
        cohort: Cohort,
        rng: random.Random,
        studies: list[Row],
        readings: list[Row | None],
        diagnosis: Row,
    ) -> None:
        self.cohort, self.rng, self.studies, self.readings = cohort, rng, studies, readings
        self.wanted = [reading["overall_response"] if reading is not None else "" for reading in readings]
        self.days = [recist.StudyDay(_key(row), row["performed_on"]) for row in studies]
        self.lesions = self._choose(diagnosis)
        self.share = self.nadir = 1.0  # of the sum at baseline

    def add(self, zone: ZoneInfo, *, is_read_twice: bool) -> None:
        self._measure_baseline()
        for index in range(1, len(self.studies)):
            self._measure(index)
        self._surroundings(zone)
        timepoints = recist.assess([lesion.for_rule() for lesion in self.lesions], self.days)
        for reading, timepoint in zip(self.readings[1:], timepoints[1:], strict=True):
            if reading is not None:
                reading["overall_response"] = timepoint.overall
                reading["new_lesions"] = bool(timepoint.new_lesions)
        self._add_rows("first", self.lesions)
        if is_read_twice:
            self._read_again()

    # The choice at baseline

    def _choose(self, diagnosis: Row) -> list[_Lesion]:
        rng = self.rng
        sites = set(diagnosis["metastatic_sites"])
        can_be_measured = {"PR", "CR"} & set(self.wanted) or rng.random() >= _ONLY_NON_TARGET
        targets: list[str] = []
        if can_be_measured:
            targets += ["liver"] * (2 if "liver" in sites else 0)
            targets += ["lymph_node"] * (rng.randint(1, 2) if "lymph_node" in sites else 0)
            primary = _ORGAN_OF_PRIMARY.get(diagnosis["primary_site"], "")
            if primary and ("liver" not in sites or rng.random() < 0.4):
                targets.append(primary)
            if "peritoneum" in sites and len(targets) < 5 and rng.random() < 0.4:
                targets.append("peritoneum")
            if len(targets) == 1:
                targets *= 2
        others = [organ for organ in ("bone", "peritoneum") if organ in sites and organ not in targets]
        if "liver" in sites and rng.random() < 0.5:
            others.append("liver")
        if not targets and not others:
            others = ["liver" if "liver" in sites else "bone"]
        chosen = [
            *((organ, LesionRole.TARGET) for organ in targets),
            *((organ, LesionRole.NON_TARGET) for organ in others),
        ]
        return [self._lesion(f"L{index}", role, organ) for index, (organ, role) in enumerate(chosen, start=1)]

    def _lesion(self, label: str, role: LesionRole, organ: str) -> _Lesion:
        rng = self.rng
        mean, spread, least, most = _SIZES_MM.get(organ, _OTHER_SIZES_MM)
        return _Lesion(
            label,
            role,
            organ,
            "multiple"
            if role is LesionRole.NON_TARGET and organ == "liver"
            else rng.choice(_SITES.get(organ, ("",))),
            min(most, max(least, round(rng.gauss(mean, spread)))) if role is LesionRole.TARGET else 0,
            min(70.0, max(9.0, rng.gauss(28, 11))),
        )

    def _measure_baseline(self) -> None:
        key = self.days[0].key
        for lesion in self.lesions:
            size_mm = lesion.baseline_mm
            lesion.findings[key] = _measured(size_mm) if size_mm else Finding(State.PRESENT)
            lesion.suv_max[key] = _tenths(lesion.baseline_suv)

    # The studies after it

    def _measure(self, index: int) -> None:
        """Draw what a study shows until the rule gives the response that the story wants."""
        key, wanted = self.days[index].key, self.wanted[index]
        if not any(lesion.role is LesionRole.TARGET for lesion in self.lesions) and wanted == "SD":
            wanted = "NON_CR_NON_PD"
        reading = self.readings[index]
        if wanted == "PD" and reading is not None and reading["new_lesions"]:
            self._appear()
        for _ in range(_TRIES):
            share = self._share(wanted)
            self._draw(key, wanted, share)
            found = recist.assess([lesion.for_rule() for lesion in self.lesions], self.days[: index + 1])[-1]
            if found.overall == wanted:
                self.share, self.nadir = share, min(self.nadir, share)
                self._draw_uptake(key, wanted)
                return
        raise ValueError(f"{key}: no sizes were found from which {wanted} follows")

    def _appear(self) -> None:
        """Add a new lesion of the liver, as the note of the reading has it."""
        self.lesions.append(self._lesion("N1", LesionRole.NEW, "liver"))

    def _share(self, wanted: str) -> float:
        """Return about which share of the sum at baseline is left."""
        rng = self.rng
        if wanted == "PR":
            if self.share > 0.69:
                return rng.uniform(0.42, 0.68)
            return min(0.69, max(0.25, self.share * rng.uniform(0.82, 1.06)))
        if wanted == "PD":
            is_shown_by_others = any(lesion.role is not LesionRole.TARGET for lesion in self.lesions)
            if is_shown_by_others and rng.random() < 0.5:
                return self.nadir * rng.uniform(0.98, 1.14)
            return self.nadir * rng.uniform(1.22, 1.6)
        return min(1.12, max(0.73, self.share * rng.uniform(0.88, 1.04)))

    def _draw(self, key: str, wanted: str, share: float) -> None:
        rng = self.rng
        is_new = any(lesion.role is LesionRole.NEW for lesion in self.lesions)
        progresses = wanted == "PD" and not is_new and share < 1.2 * self.nadir
        for lesion in self.lesions:
            if lesion.role is LesionRole.NEW:
                lesion.findings[key] = _measured(rng.randint(10, 24))
            elif lesion.role is LesionRole.NON_TARGET:
                state = State.ABSENT if wanted == "CR" else State.PROGRESSED if progresses else State.PRESENT
                lesion.findings[key] = Finding(state)
                progresses = False  # one is enough
            else:
                lesion.findings[key] = self._target(lesion, wanted, share)
        self._merge(key)

    def _target(self, lesion: _Lesion, wanted: str, share: float) -> Finding:
        rng = self.rng
        size_mm = round(lesion.baseline_mm * share * rng.uniform(0.9, 1.1))
        if lesion.is_node:
            return _measured(rng.randint(6, 9) if wanted == "CR" else max(6, size_mm))
        if wanted == "CR" or (wanted == "PR" and lesion.baseline_mm < 20 and rng.random() < 0.15):
            return Finding(State.ABSENT)
        if size_mm < recist.TOO_SMALL_MM:
            return Finding(State.TOO_SMALL)
        return Finding(
            State.SPLIT if size_mm >= 20 and rng.random() < _SPLITS else State.MEASURED, Decimal(size_mm)
        )

    def _merge(self, key: str) -> None:
        """Let two measured lesions of the liver be one, now and then."""
        liver = [each for each in self.lesions if each.organ == "liver" and each.role is LesionRole.TARGET]
        found = [each.findings[key] for each in liver]
        if (
            len(found) == 2
            and all(each.state is State.MEASURED for each in found)
            and self.rng.random() < _MERGES
        ):
            first, second = (each.size_mm or Decimal(0) for each in found)
            liver[0].findings[key] = Finding(State.MEASURED, first + second - 3)
            liver[1].findings[key] = Finding(State.MERGED, merged_into=liver[0].label)

    def _draw_uptake(self, key: str, wanted: str) -> None:
        low, high = {"PR": (0.35, 0.75), "PD": (0.9, 1.35), "CR": (0.1, 0.2)}.get(wanted, (0.7, 1.1))
        for lesion in self.lesions:
            if lesion.findings[key].state not in (State.ABSENT, State.MERGED):
                lesion.suv_max[key] = _tenths(lesion.baseline_suv * self.rng.uniform(low, high))

    # What surrounds each PET

    def _surroundings(self, zone: ZoneInfo) -> None:
        rng = self.rng
        liver, spleen = min(9.0, max(3.0, rng.gauss(5.5, 1))), min(38.0, max(12.0, rng.gauss(22, 5)))
        slice_mm = Decimal(rng.choice([2, 3, 3, 3, 5]))
        for row, day in zip(self.studies, self.days, strict=True):
            on = row["performed_on"]
            scanned_at = datetime(on.year, on.month, on.day, 9, tzinfo=zone) + timedelta(
                minutes=5 * rng.randint(6, 60)
            )
            row["injected_at"] = scanned_at - timedelta(minutes=row["uptake_minutes"])
            row["slice_thickness_mm"] = slice_mm
            row["liver_suv_mean"] = _tenths(liver * rng.uniform(0.93, 1.07))
            row["spleen_suv_mean"] = _tenths(spleen * rng.uniform(0.93, 1.07))
            suvs = [lesion.suv_max[day.key] for lesion in self.lesions if day.key in lesion.suv_max]
            row["krenning_score"] = _krenning(max(suvs, default=Decimal(0)), row)

    # The rows

    def _add_rows(self, reader: str, lesions: list[_Lesion]) -> None:
        own = {
            "registry_number": self.studies[0]["registry_number"],
            "course_number": self.studies[0]["course_number"],
        }
        for lesion in lesions:
            named = own | {"reader_role": reader, "label": lesion.label}
            self.cohort.add("lesions", **named, role=lesion.role.value, organ=lesion.organ, site=lesion.site)
            for study, day in zip(self.studies, self.days, strict=True):
                finding = lesion.findings.get(day.key)
                if finding is None:
                    continue  # a new lesion, before it was there
                self.cohort.add(
                    "measurements",
                    **named,
                    **{name: study[name] for name in ("timepoint", "performed_on", "modality")},
                    state=finding.state.value,
                    size_mm=finding.size_mm,
                    parts_mm=_parts(finding),
                    merged_into=finding.merged_into,
                    suv_max=lesion.suv_max.get(day.key),
                    is_draft=False,
                    note="",
                )

    # The second reader

    def _read_again(self) -> None:
        """Measure the same lesions a second time, each size a little otherwise, and read what follows."""
        lesions = [
            replace(
                lesion, findings={key: self._again(lesion, key, one) for key, one in lesion.findings.items()}
            )
            for lesion in self.lesions
        ]
        lesions += self._seen_by_one_alone()
        self._add_rows("second", lesions)
        timepoints = recist.assess([lesion.for_rule() for lesion in lesions], self.days)
        for reading, timepoint in zip(self.readings[1:], timepoints[1:], strict=True):
            if reading is None:
                continue
            second: Row = {
                "overall_response": timepoint.overall,
                "new_lesions": bool(timepoint.new_lesions),
                "note": "New liver lesion." if timepoint.new_lesions else "",
            }
            self.cohort.add("readings", **(reading | second | {"reader_role": "second"}))
            if timepoint.overall != reading["overall_response"]:
                agreed = {"reader_role": "adjudicator", "note": "Both grids looked at together."}
                self.cohort.add("readings", **(reading | agreed))

    def _seen_by_one_alone(self) -> list[_Lesion]:
        """Return what a second reader takes for a new lesion, now and then, in a study that the first calls stable."""
        stable = [index for index, wanted in enumerate(self.wanted) if wanted == "SD"]
        if not stable or self.rng.random() >= _SEEN_BY_ONE_ALONE:
            return []
        at = self.rng.choice(stable)
        n_new = sum(each.role is LesionRole.NEW for each in self.lesions)
        lesion = self._lesion(f"N{n_new + 1}", LesionRole.NEW, "liver")
        lesion.findings[self.days[at].key] = _measured(self.rng.randint(10, 13))
        lesion.findings |= {day.key: Finding(State.ABSENT) for day in self.days[at + 1 :]}
        return [lesion]

    def _again(self, lesion: _Lesion, key: str, finding: Finding) -> Finding:
        if finding.state is not State.MEASURED or finding.size_mm is None or lesion.role is LesionRole.NEW:
            return finding
        least = (15 if lesion.is_node else 10) if key == self.days[0].key else 5
        spread = max(1, round(finding.size_mm * _DIFFERENCE))
        return _measured(max(least, int(finding.size_mm) + self.rng.randint(-spread, spread)))


def _measured(size_mm: int) -> Finding:
    return Finding(State.MEASURED, Decimal(size_mm))


def _parts(finding: Finding) -> list[Decimal]:
    if finding.state is not State.SPLIT or finding.size_mm is None:
        return []
    larger = (finding.size_mm * 3 / 5).to_integral_value()
    return [larger, finding.size_mm - larger]


def _tenths(value: float) -> Decimal:
    return Decimal(f"{value:.1f}")


def _krenning(hottest: Decimal, study: Row) -> int:
    """Return the score that the hottest lesion gets beside liver and spleen."""
    if hottest > study["spleen_suv_mean"]:
        return 4
    if hottest > study["liver_suv_mean"]:
        return 3
    if hottest > study["liver_suv_mean"] / 2:
        return 2
    return 1 if hottest else 0
