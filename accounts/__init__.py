"""Centres, users and roles: who may see and do what, and who did what and why."""
