"""What is unusual about how a study was made: flagged, never refused.

Source of the uptake time: SNMMI/EANM procedure standard for SSTR PET (Bozkurt et al., Eur J Nucl Med Mol Imaging
2017;44:1588-1601): imaging of 68Ga-DOTA peptides 45 to 90 min after injection. In words: docs/rules/sstr.md.
"""

from languages.wording import gettext as _

UPTAKE_FROM_MINUTES = 45
UPTAKE_TO_MINUTES = 90


def uptake_time_flag(uptake_minutes: int | None) -> str:
    """Return in words that a scan began outside the usual time after injection; blank inside it, or where unknown."""
    if uptake_minutes is None or UPTAKE_FROM_MINUTES <= uptake_minutes <= UPTAKE_TO_MINUTES:
        return ""
    return _("uptake time {minutes} min, usual are {least} to {most} min: SUV may not be comparable").format(
        minutes=uptake_minutes, least=UPTAKE_FROM_MINUTES, most=UPTAKE_TO_MINUTES
    )
