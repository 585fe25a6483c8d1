"""What users of the clinic's pages keep for themselves and for each other; clinical records lie in the apps below."""

from clinic.models.desk import CareTeamMember, Reminders, SavedView
from clinic.models.entry import Draft, SentForm
from clinic.models.letters import LetterTemplate

__all__ = ["CareTeamMember", "Draft", "LetterTemplate", "Reminders", "SavedView", "SentForm"]
