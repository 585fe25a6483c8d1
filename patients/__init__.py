"""Patients: identity, diagnosis, contacts, disease events, death."""
