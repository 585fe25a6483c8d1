"""What the clinic's pages write: acts over several apps at once, and what users keep for themselves."""

from clinic.services.admitting import admit_patient
from clinic.services.care_team import end_looking_after, look_after
from clinic.services.entry import (
    draft_of,
    drop_draft,
    keep_draft,
    sent_before,
    shown_as,
    store_once,
    tidy_forms,
    token_of,
)
from clinic.services.reminders import choose_reminders, end_feed, make_feed, send_digests, user_of_feed
from clinic.services.views import remove_view, save_view

__all__ = [
    "admit_patient",
    "choose_reminders",
    "draft_of",
    "drop_draft",
    "end_feed",
    "end_looking_after",
    "keep_draft",
    "look_after",
    "make_feed",
    "remove_view",
    "save_view",
    "send_digests",
    "sent_before",
    "shown_as",
    "store_once",
    "tidy_forms",
    "token_of",
    "user_of_feed",
]
