"""Names are found without accents and with a slip of the pen, MRNs and registry numbers by their letters, by indexes.

``unaccent`` alone may not stand in an index, since its dictionary could be changed; the function names the one it means.
"""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION patients_plain(words text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    AS $$ SELECT lower(public.unaccent('public.unaccent'::regdictionary, words)) $$;
CREATE INDEX patients_identity_names ON patients_patientidentity
    USING gin (patients_plain(family_name || ' ' || given_names) gin_trgm_ops);
CREATE INDEX patients_identity_mrn ON patients_patientidentity (upper(mrn));
CREATE INDEX patients_patient_number_words ON patients_patient USING gin (upper(registry_number) gin_trgm_ops);
"""
BACKWARDS = """
DROP INDEX patients_patient_number_words;
DROP INDEX patients_identity_mrn;
DROP INDEX patients_identity_names;
DROP FUNCTION patients_plain(text);
"""


class Migration(migrations.Migration):
    dependencies = [("patients", "0005_dates_of_performance_and_prior_therapy")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
