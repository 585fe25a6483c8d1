"""Every route of the resolver × every role × own and other centre: who gets what. A route that is not declared fails."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver

from accounts.access import ROLE_ACTS, Act
from accounts.models import Centre, Role, User
from analytics import freshness, locks, query_acts
from analytics.models import Cohort, Job, JobKind
from exchange.models import Import
from patients.models import PatientIdentity
from tests.factories import (
    AbsorbedDoseFactory,
    AdverseEventFactory,
    ContactFactory,
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    DiscontinuationFactory,
    DiseaseEventFactory,
    DoseDecisionFactory,
    HoldFactory,
    LabResultFactory,
    MeasurementFactory,
    PatientFactory,
    PatientIdentityFactory,
    PerformanceStatusFactory,
    PriorPrrtFactory,
    PriorTherapyFactory,
    ReadingFactory,
    ReferenceRangeFactory,
    SomatostatinAnalogueDoseFactory,
    StudyFactory,
    make_user,
)

PUBLIC = re.compile(
    r"health/|jsi18n/|calendar/feed/|account/(login|logout|language|inactive|signup|password/reset|confirm-email|\^|2fa/authenticate|login/code)"
)
# Jobs are shown to who asked for them alone: tests/analytics/test_jobs.py.
OWN_ACCOUNT = re.compile(r"account/|drafts/|jobs/|api/v1/(schema|docs|tokens|jobs|$|\^)")
OK = {200}
ABSENT = {404}
# Read by everybody who is signed in, whatever their roles: it says nothing about patients.
ROLES = [None, *Role.values]


def routes(resolver: Any = None, before: str = "") -> Iterator[str]:
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from routes(pattern, route)


ROUTES = sorted(set(routes()))


@dataclass
class Clinic:
    """One record of each kind at one centre, by the words that stand for them in routes."""

    centre: Centre
    ids: dict[str, Any]

    @property
    def cell(self) -> dict[str, Any]:
        """What is posted of the lesion grid; the other pages that are posted to do without."""
        found = {"lesion": self.ids["lesion"], "study": self.ids["study"]}
        return {**found, "field": "size", "value": "20", "preview": "1"}

    def path(self, route: str) -> str:
        """Return the route with this clinic's ids in it; the kind before an id says whose id it is."""
        words = route.split("/")
        for index, word in enumerate(words):
            if word in {"<uuid:pk>", "<path:object_id>", "<uuid:record_id>"}:
                words[index] = str(self.ids[words[index - 1]])
            elif word.startswith("<uuid:"):
                words[index] = str(self.ids[word[6:-1]])
            elif word == "<int:pk>":
                words[index] = str(self.ids[words[index - 1]])
            elif word == "<path:page>":
                words[index] = "index.md"
            elif word == "<int:course_number>":
                words[index] = "1"
            elif word == "<slug:slug>":
                words[index] = "all"
            elif word == "<slug:endpoint>":
                words[index] = "pfs"
            elif word in {"<slug:lock_name>", "<slug:name>"}:
                words[index] = self.ids["lock"]
        # What these pages cannot do without.
        path = "/" + "/".join(words)
        asked = {"behind": "?measure=pfs", "changes": "?from=1&to=1"}
        return path + asked.get(route.split("/")[-2] if "/" in route else "", "")


def make_clinic(centre: Centre, number: str) -> Clinic:
    patient = PatientFactory(centre=centre, registry_number=number)
    course = CourseFactory(patient=patient, given=2)
    cycle = course.cycles.get(number=2)
    baseline = StudyFactory(patient=patient)
    study = StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))
    measurement = MeasurementFactory(lesion__patient=patient, study=baseline, suv_max=30)
    MeasurementFactory(lesion=measurement.lesion, study=study, suv_max=20)
    ids = {
        "patient": patient.pk,
        "identity": PatientIdentityFactory(patient=patient).pk,
        "diagnosis": DiagnosisFactory(patient=patient).pk,
        "performance-status": PerformanceStatusFactory(patient=patient).pk,
        "prior-therapy": PriorTherapyFactory(patient=patient).pk,
        "contact": ContactFactory(patient=patient, known_alive_on=date(2019, 6, 1)).pk,
        "disease-event": DiseaseEventFactory(patient=patient).pk,
        "death": DeathFactory(patient=patient).pk,
        "course": course.pk,
        "cycle": cycle.pk,
        "administration": cycle.administrations.get().pk,
        "hold": HoldFactory(cycle=course.cycles.get(number=3)).pk,
        "dose-decision": DoseDecisionFactory(cycle=course.cycles.get(number=3)).pk,
        "absorbed-dose": AbsorbedDoseFactory(cycle=cycle).pk,
        "adverse-event": AdverseEventFactory(patient=patient).pk,
        "analogue-dose": SomatostatinAnalogueDoseFactory(patient=patient).pk,
        "prior-prrt": PriorPrrtFactory(patient=patient).pk,
        "discontinuation": DiscontinuationFactory(course=course).pk,
        "study": study.pk,
        "reading": ReadingFactory(study=study).pk,
        "lesion": measurement.lesion_id,
        "measurement": measurement.pk,
        "lab-result": LabResultFactory(patient=patient).pk,
        "protocols": course.protocol_id,
        "reference-ranges": ReferenceRangeFactory(centre=centre).pk,
        "centres": centre.pk,
        "centre": centre.pk,
        "user": make_user(role=Role.PHYSICIAN, centre=centre, username=f"staff of {number}").pk,
    }
    asked_by = User.objects.get(pk=ids["user"])
    ids["query_id"] = query_acts.raise_query(patient=patient, text="Is this right?", by=asked_by).pk
    ids["data-queries"] = ids["query_id"]
    ids["import"] = Import.objects.create(
        centre=centre,
        created_by_id=ids["user"],
        kind="csv",
        size_bytes=3,
        sha256="0" * 64,
        content=b"MRN;Born\n7;8\n",
    ).pk
    ids["job"] = Job.objects.create(kind=JobKind.REPORT, requested_by_id=ids["user"]).pk
    ids["somatostatin-analogue-dose"] = ids["analogue-dose"]
    plurals = {
        "diagnosis": "diagnoses",
        "study": "studies",
        "identity": "identities",
        "prior-prrt": "prior-prrt",
        "performance-status": "performance-statuses",
        "prior-therapy": "prior-therapies",
    }
    for name in list(ids):
        ids[plurals.get(name, f"{name}s")] = ids[name]
        ids[name.replace("-", "")] = ids[name]
    ids |= {
        f"{name}_id": ids[name]
        for name in ("patient", "course", "cycle", "study", "lesion", "job", "centre", "user", "import")
    }
    ids |= {"patientidentity": ids["identity"], "read": baseline.pk}
    ids |= {
        "somatostatinanaloguedose": ids["analogue-dose"],
        "referencerange": ids["reference-ranges"],
    }
    return Clinic(centre, ids)


@pytest.fixture
def clinics(centre, other_centre) -> tuple[Clinic, Clinic]:
    made = make_clinic(centre, "STA-0001"), make_clinic(other_centre, "NRD-0001")
    freshness.refresh_inline()
    for clinic in made:
        frozen = locks.lock(
            Cohort.objects.get(slug="all"), f"lock-{clinic.centre.code}", [clinic.centre.code], None
        )
        clinic.ids["lock"] = frozen.name
    return made


IMAGING = "patients/<uuid:patient_id>/imaging/<int:course_number>/"
# Of several acts one is enough.
EDITS = frozenset({Act.EDIT_PATIENTS, Act.EDIT_TREATMENTS, Act.EDIT_IMAGING})
PAGES: dict[str, Act | frozenset[Act] | None] = {
    "": None,  # says what there is to see for whoever comes
    "styleguide/": None,
    "calendar/": Act.VIEW_RECORDS,
    "reminders/": Act.VIEW_RECORDS,
    "patients/": Act.VIEW_RECORDS,
    "patients/list.<slug:file_type>": Act.VIEW_RECORDS,
    "patients/views/": Act.VIEW_RECORDS,
    "patients/new/": Act.EDIT_PATIENTS,
    "patients/<uuid:patient_id>/": Act.VIEW_RECORDS,
    "patients/<uuid:patient_id>/events/": Act.VIEW_RECORDS,
    "patients/<uuid:patient_id>/care-team/": Act.VIEW_RECORDS,
    "patients/<uuid:patient_id>/outcome/": Act.VIEW_RECORDS,
    "patients/<uuid:patient_id>/history/": Act.VIEW_RECORDS,
    "patients/<uuid:patient_id>/course/new/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/course/<uuid:course_id>/discontinue/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/course/<uuid:course_id>/move/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/cycle/<uuid:cycle_id>/give/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/cycle/<uuid:cycle_id>/net/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/cycle/<uuid:cycle_id>/hold/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/cycle/<uuid:cycle_id>/resume/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/cycle/<uuid:cycle_id>/leave-out/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/cycle/<uuid:cycle_id>/restore/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/cycle/<uuid:cycle_id>/decide/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/cycle/<uuid:cycle_id>/dose/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/query/new/": EDITS,
    "queries/": Act.VIEW_RECORDS,
    "queries/<uuid:query_id>/": Act.VIEW_RECORDS,
    "patients/<uuid:patient_id>/documents/": Act.VIEW_IDENTITY,
    "patients/<uuid:patient_id>/documents/course/<uuid:course_id>/": Act.VIEW_IDENTITY,
    "patients/<uuid:patient_id>/documents/course/<uuid:course_id>/summary.pdf": Act.VIEW_IDENTITY,
    "patients/<uuid:patient_id>/documents/cycle/<uuid:cycle_id>/": Act.VIEW_IDENTITY,
    "patients/<uuid:patient_id>/documents/cycle/<uuid:cycle_id>/letter.pdf": Act.VIEW_IDENTITY,
    "help/": None,
    "help/docs/<path:page>": None,
    "help/glossary/": None,
    "help/tour/": None,
    "help/shortcuts/": None,
    "people/": Act.MANAGE_USERS,
    "people/new/": Act.MANAGE_USERS,
    "people/<uuid:user_id>/": Act.MANAGE_USERS,
    "letters/": Act.MANAGE_COHORTS,
    "letters/<uuid:centre_id>/therapy-summary/": Act.MANAGE_COHORTS,
    "letters/<uuid:centre_id>/cycle-letter/": Act.MANAGE_COHORTS,
    "protocols/": Act.VIEW_RESULTS,
    "protocols/new/": Act.MANAGE_COHORTS,
    "protocols/<int:pk>/": Act.VIEW_RESULTS,
    "reference-ranges/": Act.VIEW_RECORDS,
    "reference-ranges/new/": Act.MANAGE_COHORTS,
    "patients/<uuid:patient_id>/study/<uuid:study_id>/read/": Act.EDIT_IMAGING,
    "patients/<uuid:patient_id>/laboratory/": Act.VIEW_RECORDS,
    "patients/<uuid:patient_id>/laboratory/enter/": Act.EDIT_TREATMENTS,
    "patients/<uuid:patient_id>/laboratory/figures/<slug:analyte>.json": Act.VIEW_RECORDS,
    "patients/<uuid:patient_id>/laboratory/figures/<slug:analyte>.<slug:file_type>": Act.VIEW_RECORDS,
    f"{IMAGING}": Act.VIEW_RECORDS,
    f"{IMAGING}cell/": Act.EDIT_IMAGING,
    f"{IMAGING}dicom/": Act.EDIT_IMAGING,
    f"{IMAGING}lesion/new/": Act.EDIT_IMAGING,
    f"{IMAGING}lesion/<uuid:lesion_id>/": Act.EDIT_IMAGING,
    f"{IMAGING}lesion/<uuid:lesion_id>/void/": Act.EDIT_IMAGING,
    f"{IMAGING}study/<uuid:study_id>/accept/": Act.EDIT_IMAGING,
    f"{IMAGING}study/<uuid:study_id>/sign/": Act.EDIT_IMAGING,
    f"{IMAGING}figures/<slug:lesion_figure>.json": Act.VIEW_RECORDS,
    f"{IMAGING}figures/<slug:lesion_figure>.<slug:file_type>": Act.VIEW_RECORDS,
    "imports/": Act.IMPORT_FILES,
    "imports/<uuid:import_id>/": Act.IMPORT_FILES,
    "imports/<uuid:import_id>/columns/": Act.IMPORT_FILES,
    "imports/<uuid:import_id>/check/": Act.IMPORT_FILES,
    "imports/<uuid:import_id>/start/": Act.IMPORT_FILES,
    "imports/<uuid:import_id>/download/": Act.IMPORT_FILES,
    "imports/<uuid:import_id>/undo/": Act.IMPORT_FILES,
    "imports/<uuid:import_id>/discard/": Act.IMPORT_FILES,  # the last of them: it is gone then
    "cohorts/": Act.VIEW_RESULTS,
    "cohorts/new/": Act.VIEW_RESULTS,
    "cohorts/count/": Act.VIEW_RESULTS,
    "cohorts/explore/": Act.VIEW_RESULTS,
    "cohorts/explore/figures/<slug:explore_figure>.json": Act.VIEW_RESULTS,
    "cohorts/explore/figures/<slug:explore_figure>.<slug:file_type>": Act.VIEW_RESULTS,
    "cohorts/compare/": Act.VIEW_RESULTS,
    "cohorts/compare/figures/<slug:compare_figure>.json": Act.VIEW_RESULTS,
    "cohorts/compare/figures/<slug:compare_figure>.<slug:file_type>": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/edit/": Act.MANAGE_COHORTS,
    "cohorts/<slug:slug>/delete/": Act.MANAGE_COHORTS,
    "cohorts/<slug:slug>/": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/live/": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/curves/<slug:endpoint>/": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/behind/": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/changes/": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/quality/": Act.VIEW_RECORDS,
    "cohorts/<slug:slug>/locks/": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/download/": Act.VIEW_RESULTS,
    "locks/<slug:lock_name>/": Act.VIEW_RESULTS,
    "locks/<slug:lock_name>/verify/": Act.VIEW_RESULTS,
    "locks/<slug:lock_name>/download/": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/figures/<slug:figure>.json": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/figures/<slug:figure>.<slug:file_type>": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/report/": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/report/start/": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/response/": Act.VIEW_RESULTS,
    "cohorts/<slug:slug>/response/figures/<slug:response_figure>.json": Act.VIEW_RECORDS,
    "cohorts/<slug:slug>/response/figures/<slug:response_figure>.<slug:file_type>": Act.VIEW_RECORDS,
}
KINDS = {
    "diagnosis": Act.EDIT_PATIENTS,
    "performance-status": Act.EDIT_PATIENTS,
    "prior-therapy": Act.EDIT_PATIENTS,
    "contact": Act.EDIT_PATIENTS,
    "disease-event": Act.EDIT_PATIENTS,
    "death": Act.EDIT_PATIENTS,
    "study": Act.EDIT_IMAGING,
    "reading": Act.EDIT_IMAGING,
    "administration": Act.EDIT_TREATMENTS,
    "discontinuation": Act.EDIT_TREATMENTS,
    "hold": Act.EDIT_TREATMENTS,
    "dose-decision": Act.EDIT_TREATMENTS,
    "absorbed-dose": Act.EDIT_TREATMENTS,
    "adverse-event": Act.EDIT_TREATMENTS,
    "analogue-dose": Act.EDIT_TREATMENTS,
    "prior-prrt": Act.EDIT_TREATMENTS,
    "lab-result": Act.EDIT_TREATMENTS,
}
for kind, act in KINDS.items():
    PAGES[f"patients/<uuid:patient_id>/{kind}/<uuid:record_id>/correct/"] = act
    PAGES[f"patients/<uuid:patient_id>/{kind}/<uuid:record_id>/void/"] = act
# Walked with the shared cohort of every centre, which no role of one centre may change, and without a second cohort.
REFUSED = {
    "cohorts/<slug:slug>/edit/",
    "cohorts/<slug:slug>/delete/",
    "cohorts/compare/figures/<slug:compare_figure>.json",
    "cohorts/compare/figures/<slug:compare_figure>.<slug:file_type>",
}
EXPANDED = {  # walked once for each kind of record above
    "patients/<uuid:patient_id>/<slug:kind>/new/",
    "patients/<uuid:patient_id>/<slug:kind>/<uuid:record_id>/correct/",
    "patients/<uuid:patient_id>/<slug:kind>/<uuid:record_id>/void/",
}


def api_act(route: str) -> Act | None:
    """Return the act that a GET of an API route needs."""
    if "identity" in route:
        return Act.VIEW_IDENTITY
    if route.startswith(("api/v1/cohorts/", "api/v1/locks/")):
        return Act.VIEW_RESULTS
    if route.startswith(("api/v1/protocols/", "api/v1/centres/")):
        return None
    return Act.VIEW_RECORDS


# Computed from what a form holds, or done, and sent in the body.
POSTED_PAGES = {
    "patients/views/",
    "patients/<uuid:patient_id>/care-team/",
    "cohorts/<slug:slug>/report/start/",
    "patients/<uuid:patient_id>/cycle/<uuid:cycle_id>/net/",
    f"{IMAGING}cell/",
    f"{IMAGING}lesion/new/",
    f"{IMAGING}study/<uuid:study_id>/accept/",
    "locks/<slug:lock_name>/verify/",
    "imports/<uuid:import_id>/check/",
    "imports/<uuid:import_id>/start/",
    "imports/<uuid:import_id>/discard/",
}
POST_ONLY = re.compile(
    r"api/v1/.*(void|administer|discontinue|search|move|hold|resume|cancel|restore|decide|net-activity"
    r"|draft-reading|sign-reading|accept-drafts|answer|close|reopen|count|explore|exports|reports)/$"
)


def walkable(prefix: str, excluded: re.Pattern[str] = re.compile("$^")) -> list[str]:
    return [route for route in ROUTES if route.startswith(prefix) and not excluded.match(route)]


def test_every_page_is_declared():
    pages = {
        route
        for route in ROUTES
        if not route.startswith(("admin/", "api/"))
        and not PUBLIC.match(route)
        and not OWN_ACCOUNT.match(route)
    }
    assert pages - EXPANDED == set(PAGES) - {
        route for route in PAGES if any(f"/{kind}/<uuid:record_id>" in route for kind in KINDS)
    }


@pytest.mark.parametrize("role", ROLES)
def test_pages_answer_by_role_at_the_own_centre_and_are_absent_elsewhere(role, clinics, settings):
    own, other = clinics
    # Figures of a single patient would be withheld: tests/analytics/test_small_cells.py.
    settings.SMALL_CELL = 1
    client = Client()
    client.force_login(make_user(role=role, centre=own.centre, username="somebody"))
    acts = ROLE_ACTS[role] if role else frozenset()
    wrong = []
    for route, act in PAGES.items():
        for clinic in (own, other):
            path = clinic.path(route).replace("<slug:figure>", "pfs").replace("<slug:file_type>", "csv")
            path = path.replace("<slug:analyte>", "platelets").replace("<slug:lesion_figure>", "suvmax")
            path = path.replace("<slug:response_figure>", "waterfall")
            path = path.replace("<slug:explore_figure>", "curves").replace("<slug:compare_figure>", "pfs")
            answer = client.post(path, clinic.cell) if route in POSTED_PAGES else client.get(path)
            status = answer.status_code
            has_object = "<uuid:" in route or "<slug:lock_name>" in route
            if clinic is other and has_object:
                expected = ABSENT
            elif route in REFUSED:
                expected = {403, 404}
            elif act is None or (acts & act if isinstance(act, frozenset) else act in acts):
                # 409: the act itself is past (a cycle that is given, a course that is discontinued); 204: nothing new
                expected = OK | {204, 302, 409} if act != Act.VIEW_RECORDS else OK | {204}
                if route in POSTED_PAGES:
                    expected = expected | {422}  # what was sent is of another page
            else:
                expected = {403, 404}
            if status not in expected:
                wrong.append((path, status, expected))
    assert not wrong


@pytest.mark.parametrize("role", ROLES)
def test_api_answers_by_role_at_the_own_centre_and_is_absent_elsewhere(role, clinics):
    own, other = clinics
    client = Client()
    client.force_login(make_user(role=role, centre=own.centre, username="somebody"))
    acts = ROLE_ACTS[role] if role else frozenset()
    wrong = []
    for route in walkable("api/v1/", OWN_ACCOUNT):
        act = api_act(route)
        for clinic in (own, other):
            status = client.get(clinic.path(route)).status_code
            has_object = "<uuid:" in route or "<slug:name>" in route or "reference-ranges/<int:pk>" in route
            hidden = clinic is other and has_object
            if POST_ONLY.match(route):
                expected = {403, 404, 405}
            elif act is not None and act not in acts:
                expected = {403, 404}
            elif act is None and not acts:
                expected = {200, 403, 404}
            else:
                expected = ABSENT if hidden else OK
            if status not in expected:
                wrong.append((clinic.path(route), status, expected))
    assert not wrong


@pytest.mark.parametrize("role", ROLES)
def test_the_admin_is_for_the_correction_desk_and_other_centres_are_absent(role, clinics):
    own, other = clinics
    client = Client()
    client.force_login(make_user(role=role, centre=own.centre, username="somebody"))
    may_enter = role is not None and Act.CORRECT_IN_ADMIN in ROLE_ACTS[role]
    wrong = []
    for route in walkable("admin/"):
        if "<path:object_id>" in route and route.split("/")[2] not in own.ids:
            continue  # tables that hold no centre's records
        if re.search(r"<(?!path:object_id)", route) or route.endswith("logout/") or "(?" in route:
            continue
        for clinic in (own, other):
            status = client.get(clinic.path(route)).status_code
            if not may_enter or (clinic is other and "<path:object_id>" in route):
                refused = {302, 403, 404}
            else:
                refused = {200, 302, 400, 403, 404}
            if status not in refused:
                wrong.append((clinic.path(route), status))
    assert not wrong


def test_nobody_is_shown_anything_before_signing_in(clinics):
    own, _ = clinics
    client = Client()
    shown = []
    for route in ROUTES:
        if PUBLIC.match(route) or "(?" in route or "<path:content_type" in route or "^" in route:
            continue
        if "<path:object_id>" in route and route.split("/")[2] not in own.ids:
            continue
        path = own.path(route.replace("<slug:kind>", "death")).replace("<slug:figure>", "pfs")
        path = path.replace("<slug:file_type>", "svg").replace("<id>", "1")
        if "<" in path:
            path = re.sub(r"<[^>]+>", "1", path)
        for method in ("get", "post", "put", "patch", "delete"):
            status = getattr(client, method)(path).status_code
            if status not in {301, 302, 401, 403, 404, 405}:
                shown.append((method, path, status))
    # The admin's own sign-in leads to the site's.
    assert not shown


def test_a_hidden_record_answers_like_a_missing_one(clinics):
    own, other = clinics
    client = Client()
    client.force_login(make_user(role=Role.DATA_MANAGER, centre=own.centre, username="somebody"))
    missing = "00000000-0000-4000-8000-000000000000"
    for route in ("patients/<uuid:patient_id>/", "api/v1/patients/<uuid:pk>/", "api/v1/deaths/<uuid:pk>/"):
        hidden = client.get(other.path(route))
        absent = client.get(re.sub("<uuid:[a-z_]+>", missing, "/" + route))
        assert hidden.status_code == absent.status_code == 404
        identifier = other.path(route).rstrip("/").split("/")[-1]
        token = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]+"')  # another one in every answer
        said = token.sub(b"", hidden.content).replace(identifier.encode(), missing.encode())
        assert said == token.sub(b"", absent.content)


def test_a_cohort_of_another_centre_alone_is_absent(clinics):
    own, other = clinics
    everyone = Cohort.objects.get(slug="all")
    Cohort.objects.create(
        slug="theirs", name="Theirs", definition=everyone.definition, centre_codes=[other.centre.code]
    )
    client = Client()
    client.force_login(make_user(role=Role.RESEARCHER, centre=own.centre, username="somebody"))

    for path in ("/cohorts/theirs/", "/api/v1/cohorts/theirs/", "/api/v1/cohorts/theirs/results/"):
        assert client.get(path).status_code == 404
    assert "Theirs" not in client.get("/cohorts/").content.decode()


def test_identity_reaches_no_role_that_may_not_see_it(clinics):
    own, _ = clinics
    identity = PatientIdentity.objects.get(pk=own.ids["identity"])
    PatientIdentity.objects.filter(pk=identity.pk).update(mrn="CANARY77", family_name="Canaryname")
    for role in Role.values:
        if Act.VIEW_IDENTITY in ROLE_ACTS[role]:
            continue
        client = Client()
        client.force_login(make_user(role=role, centre=own.centre, username=f"a {role}"))
        for route in [*PAGES, *walkable("api/v1/", OWN_ACCOUNT), *walkable("admin/patients/")]:
            path = own.path(route).replace("<slug:figure>", "pfs").replace("<slug:file_type>", "csv")
            path = path.replace("<slug:analyte>", "platelets").replace("<slug:lesion_figure>", "suvmax")
            path = path.replace("<slug:response_figure>", "waterfall")
            path = path.replace("<slug:explore_figure>", "curves").replace("<slug:compare_figure>", "pfs")
            content = b"".join(client.get(path))
            assert b"CANARY77" not in content, (role, path)
            assert b"Canaryname" not in content, (role, path)


def test_who_may_import_files_holds_every_right_that_a_file_may_need():
    needed = {Act.EDIT_PATIENTS, Act.EDIT_TREATMENTS, Act.EDIT_IMAGING, Act.VIEW_IDENTITY}
    may = {role for role, acts in ROLE_ACTS.items() if Act.IMPORT_FILES in acts}

    assert may == {Role.PHYSICIAN, Role.DATA_MANAGER}
    assert all(needed <= ROLE_ACTS[role] for role in may)
