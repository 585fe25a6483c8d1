"""The correction desk: the admin site and what the admin pages of all clinical records share.

Pages parse and present; every write goes through the services, with a reason where something stored is changed. What may be
seen and done follows from the acts of accounts.access, never from Django's permission tables. In words: docs/admin.md.

site: who gets in. pages: what all pages share. visibility, history, voiding and records build ``ClinicalAdmin``, one on the
other: which records are seen, what became of them, how one is voided, how one is entered and corrected.
local_times: the pages of records with times of day. shared: the pages of what is tracked and belongs to no patient.
"""
