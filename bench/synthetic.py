"""Synthetic patients by the million, made inside the database: a load to measure on, not a cohort to publish."""

from typing import Any

from django.db import connection

from accounts.models import Centre
from analytics.models import Cohort, Definition, Job, RebuildChunk
from treatments.models import Protocol

# What is drawn of each patient once. Centres share them unevenly, as centres do.
_DRAWN = """
CREATE TEMPORARY TABLE drawn AS
SELECT i, gen_random_uuid() AS patient, gen_random_uuid() AS course,
    %(centres)s[1 + floor(random() * random() * {centres})::int] AS centre,
    date '2012-01-02' + floor(random() * 4893)::int AS start,
    30 + floor(random() * 2370)::int AS followed,
    random() AS u1, random() AS u2, random() AS u3, random() AS u4, random() AS u5, random() AS u6, random() AS u7
FROM generate_series(1, %(n)s) i;
ALTER TABLE drawn ADD last date, ADD given int, ADD stopped boolean;
UPDATE drawn SET last = least(start + followed, date '2026-06-30'), stopped = u1 < 0.15,
    given = CASE WHEN u1 < 0.15 THEN 1 + floor(u1 * 20)::int ELSE 4 END;
UPDATE drawn SET given = least(given, 1 + (last - start) / 56);
CREATE TEMPORARY TABLE visits AS
SELECT d.i, d.patient, gen_random_uuid() AS study, k, d.start + 112 + 120 * k + (40 * random())::int AS day, random() AS u
FROM drawn d, generate_series(0, 17) k WHERE d.start + 152 + 120 * k <= d.last;
-- Nothing is read after the first progression.
DELETE FROM visits v USING (SELECT i, min(k) AS k FROM visits WHERE u < 0.12 GROUP BY i) p WHERE v.i = p.i AND v.k > p.k;
"""
_ROWS = {
    "patients_patient": (
        "id, centre_id, registry_number, sex, birth_date",
        "patient, centre, 'BEN-' || lpad(i::text, 7, '0'), CASE WHEN u2 < 0.5 THEN 'male' ELSE 'female' END,"
        " start - (365.25 * (25 + 60 * u3))::int FROM drawn",
    ),
    "patients_diagnosis": (
        "id, patient_id, tumour_type, primary_site, who_grade, ki67_percent, functional_syndrome, stage,"
        " metastatic_sites",
        "gen_random_uuid(), patient, CASE WHEN u4 < 0.95 THEN 'net' ELSE 'paraganglioma' END,"
        " (ARRAY['pancreas', 'small_intestine', 'small_intestine', 'unknown', 'lung'])[1 + floor(u5 * 5)::int],"
        " (ARRAY['g1', 'g2', 'g2', 'g3', 'unknown'])[1 + floor(u6 * 5)::int],"
        " CASE WHEN u7 < 0.9 THEN round((0.5 + 30 * u7 * u6)::numeric, 1) END,"
        " (ARRAY['none', 'carcinoid', 'unknown'])[1 + floor(u7 * 3)::int], '', '{}' FROM drawn",
    ),
    "patients_performancestatus": (
        "id, patient_id, ecog, assessed_on, note",
        "gen_random_uuid(), patient, floor(u3 * u4 * 4)::int, start - 7, '' FROM drawn WHERE u5 < 0.9",
    ),
    "patients_priortherapy": (
        "id, patient_id, kind, agent, started_on, note",
        "gen_random_uuid(), patient, (ARRAY['somatostatin_analogue', 'surgery', 'chemotherapy'])[k],"
        " '', start - 300 - 100 * k, '' FROM drawn, generate_series(1, 3) k WHERE u6 > 0.25 * k",
    ),
    "treatments_course": (
        "id, patient_id, number, protocol_id, intent",
        "course, patient, 1, %(protocol)s, 'initial' FROM drawn",
    ),
    "treatments_cycle": (
        "id, course_id, number, planned_on, status, note, cancel_reason",
        "md5(i || 'cycle' || k)::uuid, course, k, start + 56 * (k - 1),"
        " CASE WHEN k <= given THEN 'given' WHEN stopped THEN 'cancelled' ELSE 'planned' END, '', ''"
        " FROM drawn, generate_series(1, 4) k",
    ),
    "treatments_administration": (
        "id, cycle_id, administered_at, prescribed_activity_mbq, administered_activity_mbq, lot,"
        " deviation_explanation, amino_acid_regimen, antiemetic, venous_access, staff, confirmed_warnings,"
        " confirmation_reason",
        "gen_random_uuid(), md5(i || 'cycle' || k)::uuid, (start + 56 * (k - 1)) + time '09:00' AT TIME ZONE 'UTC',"
        " 7400, round((7100 + 500 * random())::numeric, 1), '', '', '', '', '', '', '{}', ''"
        " FROM drawn, generate_series(1, 4) k WHERE k <= given",
    ),
    "treatments_discontinuation": (
        "id, course_id, discontinued_on, after_cycle, main_reason, further_reasons, note",
        "gen_random_uuid(), course, start + 56 * given - 20, given,"
        " (ARRAY['progression', 'haematological', 'patient_choice'])[1 + floor(u2 * 3)::int], '{}', ''"
        " FROM drawn WHERE stopped AND start + 56 * given - 20 <= last",
    ),
    "treatments_adverseevent": (
        "id, patient_id, term, grade, onset_on, attribution, is_serious, action, note",
        "gen_random_uuid(), patient, (ARRAY['Anaemia', 'Platelet count decreased', 'Fatigue'])[k],"
        " 1 + floor(u7 * 3)::int, start + 30 * k, 'possible', false, 'none', '' FROM drawn, generate_series(1, 3) k"
        " WHERE u1 > 0.3 * k AND start + 30 * k <= last",
    ),
    "imaging_study": (
        "id, patient_id, course_number, timepoint, modality, performed_on, tracer, study_instance_uid, suvbw_basis,"
        " krenning_score",
        "* FROM (SELECT md5(i || 'baseline')::uuid, patient, 1, 'baseline', 'pet_ct', start - 14, '', '', '',"
        " 2 + floor(u2 * 3)::int FROM drawn UNION ALL"
        " SELECT study, patient, 1, CASE WHEN k = 0 THEN 'interim' ELSE 'follow_up' END, 'pet_ct', day, '', '', '', NULL"
        " FROM visits) AS both_kinds",
    ),
    "imaging_reading": (
        "id, study_id, overall_response, new_lesions, note, derived_reason, derived_response, non_target_response,"
        " override_reason, reader_role, sstr_response, status, target_response",
        "gen_random_uuid(), study, CASE WHEN u < 0.12 THEN 'PD' WHEN u < 0.34 THEN 'PR' WHEN u < 0.92 THEN 'SD'"
        " ELSE 'NE' END, false, '', '', '', '', '', 'first', CASE WHEN u < 0.12 THEN 'increased' WHEN u < 0.5"
        " THEN 'decreased' ELSE 'unchanged' END, 'reported', '' FROM visits",
    ),
    "imaging_lesion": (
        "id, patient_id, course_number, reader_role, label, role, organ, site, selection_reason, tracking_uid",
        "md5(i || 'lesion')::uuid, patient, 1, 'first', 'L1', 'target', 'liver', '', '', '' FROM drawn WHERE u3 < 0.8",
    ),
    "imaging_measurement": (
        "id, lesion_id, study_id, state, size_mm, parts_mm, suv_max, is_draft, note",
        "gen_random_uuid(), md5(i || 'lesion')::uuid, md5(i || 'baseline')::uuid, 'measured', 30, '{}',"
        " round((8 + 40 * u4)::numeric, 2), false, '' FROM drawn WHERE u3 < 0.8",
    ),
    "patients_contact": (
        "id, patient_id, known_alive_on, source, note",
        "gen_random_uuid(), patient, last, 'visit', '' FROM drawn",
    ),
    "patients_death": (
        "id, patient_id, died_on, cause, note",
        "gen_random_uuid(), patient, least(last + (200 * u5)::int, date '2026-07-31'),"
        " (ARRAY['disease', 'disease', 'disease', 'comorbidity', 'unknown'])[1 + floor(u6 * 5)::int], ''"
        " FROM drawn WHERE u4 < 0.45",
    ),
}  # fmt: skip


def load(n: int, *, seed: int = 2020, centres: int = 1) -> None:
    """Replace all patients by ``n`` synthetic ones with what analyses read of them; every outcome is still to be derived.

    Triggers are off meanwhile. Afterwards a rebuild of each definition waits.
    """
    codes = ["BEN", *(f"BE{number}" for number in range(1, centres))]
    for code in codes:
        Centre.objects.get_or_create(
            code=code, defaults={"name": f"Bench {code}", "time_zone": "Europe/Berlin"}
        )
    ids = [str(Centre.objects.get(code=code).pk) for code in codes]
    protocol = Protocol.objects.get(code="177lu-dotatate-4x7400-q8w", version=1)
    values: dict[str, Any] = {"n": n, "centres": ids, "protocol": protocol.pk}
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "TRUNCATE patients_patient, analytics_stalecourse, analytics_staleresult, analytics_outcomechange,"
            " analytics_stalecheck CASCADE"
        )
        cursor.execute("SELECT setseed(%s)", [seed / 2**31])
        drawn = _DRAWN.format(centres=len(ids)).replace("%(centres)s", "%(centres)s::uuid[]")
        for statement in drawn.replace("%(centres)s::uuid[][", "(%(centres)s::uuid[])[").split(";\n"):
            if statement.strip():
                cursor.execute(statement, values)
        for table, (columns, rows) in _ROWS.items():
            cursor.execute(
                f"INSERT INTO {table} (version, void_reason, created_at, {columns})"
                f" SELECT 1, '', now(), {rows}",
                values,
            )
        cursor.execute("DROP TABLE drawn, visits")
        cursor.execute("SET session_replication_role = DEFAULT")
    # Outside a test, where autovacuum's own time would fall into what is measured.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.in_atomic_block else "VACUUM ANALYZE")
    RebuildChunk.objects.all().delete()
    Job.objects.filter(kind="rebuild").delete()
    Cohort.objects.update(tallied_by="")
    Job.objects.bulk_create(
        Job(kind="rebuild", definition=definition, parameters={"reason": "definition"})
        for definition in Definition.objects.all()
    )
