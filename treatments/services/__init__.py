"""The acts of a treatment: every write, one function for one clinical act."""

from treatments.models import OPEN
from treatments.services.administrations import (
    Unconfirmed,
    administer_cycle,
    correct_administration,
    void_administration,
)
from treatments.services.courses import (
    cancel_cycle,
    correct_course,
    correct_cycle,
    correct_hold,
    discontinue_course,
    fit_cycles,
    hold_cycle,
    move_course,
    replan,
    restore_cycle,
    resume_cycle,
    start_course,
    void_cycle,
    void_discontinuation,
    void_hold,
)
from treatments.services.decisions import decide_dose, void_decision
from treatments.services.laboratory import (
    LabEntry,
    UnlikelyValues,
    correct_lab_result,
    record_lab_results,
    set_reference_range,
)
from treatments.services.protocols import add_protocol

__all__ = [
    "OPEN",
    "LabEntry",
    "Unconfirmed",
    "UnlikelyValues",
    "add_protocol",
    "administer_cycle",
    "cancel_cycle",
    "correct_administration",
    "correct_course",
    "correct_cycle",
    "correct_hold",
    "correct_lab_result",
    "decide_dose",
    "discontinue_course",
    "fit_cycles",
    "hold_cycle",
    "move_course",
    "record_lab_results",
    "replan",
    "restore_cycle",
    "resume_cycle",
    "set_reference_range",
    "start_course",
    "void_administration",
    "void_cycle",
    "void_decision",
    "void_discontinuation",
    "void_hold",
]
