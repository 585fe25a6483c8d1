"""The desk's pages of what belongs to no patient: who may change it, why it was changed, and what became of it."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client

from accounts.changes import NOBODY, rows_of
from accounts.models import Centre, Membership, Role, User
from analytics.models import Cohort, Definition
from tests.accounts.test_admin import errors_of, form_values, inline, page
from tests.factories import (
    CourseFactory,
    PatientFactory,
    ReferenceRangeFactory,
    UserFactory,
    default_protocol,
)
from treatments.models import Protocol

WHY = "Agreed at the board of 3 March"
KINDS = ["centre", "protocol", "definition", "cohort", "reference range"]


@pytest.fixture
def desk(client: Client, data_manager: User) -> Client:
    """The desk of a data manager at the plain centre, the only one there is unless a test makes another."""
    client.force_login(data_manager)
    return client


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(UserFactory(username="root", is_superuser=True))
    return client


@pytest.fixture
def everyone(db: None) -> Cohort:
    return Cohort.objects.get(slug="all")


@pytest.fixture
def own(centre: Centre, everyone: Cohort) -> Cohort:
    """A cohort of the plain centre, with a definition of its own."""
    definition = Definition.objects.create(name="House rules", endpoints={"landmark_months": [6, 12]})
    return Cohort.objects.create(slug="own", name="Own", definition=definition, centre_codes=["STA"])


def both_centres(data_manager: User, other_centre: Centre) -> None:
    Membership.objects.create(user=data_manager, centre=other_centre, role=Role.DATA_MANAGER)


def change(client: Client, thing: Any, **values: Any) -> Any:
    """Post the thing's form with some values changed, as a browser would."""
    address = page(type(thing), "change", thing.pk)
    return client.post(address, form_values(client, address) | values)


def one_of_each(own: Cohort) -> list[tuple[Any, str, Any]]:
    """Return (thing, field, new value) of each kind that is changed with a reason."""
    return [
        (Centre.objects.get(code="STA"), "name", "Clinic of the Station"),
        (Protocol.objects.get(pk=default_protocol().pk), "source", "Label of 2024"),
        (own.definition, "data_cutoff", "2020-01-31"),
        (own, "description", "Those of ours."),
        (ReferenceRangeFactory(), "valid_to", "2020-01-31"),
    ]


def updates_of(thing: Any) -> int:
    """Return how often a thing was changed; migrations have changed the protocol that they brought."""
    return rows_of(type(thing)).filter(pgh_obj=thing.pk, pgh_label="update").count()


# Why


@pytest.mark.parametrize("kind", range(5), ids=KINDS)
def test_a_change_without_a_reason_is_refused(desk, own, kind):
    thing, field, value = one_of_each(own)[kind]
    before, updates = getattr(thing, field), updates_of(thing)

    response = change(desk, thing, **{field: value, "reason": "  "})

    assert "This field is required." in errors_of(response)
    thing.refresh_from_db()
    assert getattr(thing, field) == before
    assert updates_of(thing) == updates


@pytest.mark.parametrize("kind", range(5), ids=KINDS)
def test_a_change_is_kept_with_who_why_and_by_which_door(desk, data_manager, own, kind):
    thing, field, value = one_of_each(own)[kind]

    response = change(desk, thing, **{field: value, "reason": WHY})

    assert response.status_code == 302, errors_of(response)
    thing.refresh_from_db()
    assert str(getattr(thing, field)) == value
    row = rows_of(type(thing)).filter(pgh_obj=thing.pk).last()
    said = {key: row.pgh_context[key] for key in ("username", "reason", "source")}
    assert said == {"username": data_manager.username, "reason": WHY, "source": "admin"}


@pytest.mark.parametrize("kind", range(5), ids=KINDS)
def test_the_history_page_tells_old_and_new_values_and_why(desk, data_manager, own, kind):
    thing, field, value = one_of_each(own)[kind]
    old = str(getattr(thing, field) or "(blank)")
    change(desk, thing, **{field: value, "reason": WHY})

    response = desk.get(page(type(thing), "history", thing.pk))

    told = response.context["changes"][0]
    assert (told.who, told.reason, told.door) == (data_manager.username, WHY, "Correction desk")
    assert [(one.old, one.new) for one in told.fields] == [(old, value)]
    for text in (data_manager.username, WHY, "Correction desk", f"{old} → {value}"):
        assert text in response.content.decode()


def test_the_history_of_a_definition_names_only_what_differs_of_its_endpoints(desk, own):
    change(
        desk, own.definition, endpoints='{"landmark_months": [6, 12], "new_therapy": "censor"}', reason=WHY
    )

    told = desk.get(page(Definition, "history", own.definition_id)).context["changes"]

    assert [(one.old, one.new) for one in told[0].fields] == [("(blank)", '{"new_therapy": "censor"}')]


def test_adding_needs_no_reason(desk, own):
    response = desk.post(page(Definition, "add"), {"name": "Another", "endpoints": "{}"})

    assert response.status_code == 302, errors_of(response)
    assert rows_of(Definition).last().pgh_context["username"]


def test_saving_without_a_change_says_so(desk, own):
    for thing, _, _ in one_of_each(own):
        updates = updates_of(thing)
        assert "Nothing was changed" in errors_of(change(desk, thing, reason=WHY))
        assert updates_of(thing) == updates


def test_the_second_of_two_editors_is_told_what_the_first_changed(desk, own):
    address = page(Cohort, "change", own.pk)
    seen = form_values(desk, address)
    change(desk, own, name="First", reason="Clearer")

    response = desk.post(address, seen | {"name": "Second", "reason": WHY})

    assert "This was changed while you had it open" in errors_of(response)
    assert "Cohort, Name: Own → First" in errors_of(response)
    own.refresh_from_db()
    assert own.name == "First"


def test_a_change_leaves_alone_what_a_worker_counted_meanwhile(desk, own, monkeypatch):
    """The tallies' columns are not on the page: the form must not put their old values back."""
    locked = Cohort.objects.get_queryset().__class__.select_for_update

    def counted_first(rows: Any, **options: Any) -> Any:
        Cohort.objects.filter(pk=own.pk).update(tallied_by="now", tallied_to=date(2020, 1, 31))
        return locked(rows, **options)

    monkeypatch.setattr(type(Cohort.objects.all()), "select_for_update", counted_first)
    response = change(desk, own, name="Ours", reason=WHY)

    assert response.status_code == 302, errors_of(response)
    own.refresh_from_db()
    assert (own.name, own.tallied_by, own.tallied_to) == ("Ours", "now", date(2020, 1, 31))


# Whose figures


def test_what_other_centres_figures_rest_on_is_seen_and_not_changed(desk, everyone, other_centre):
    for thing in (everyone, everyone.definition):
        address = page(type(thing), "change", thing.pk)

        assert "it is shown here, not changed" in " ".join(desk.get(address).content.decode().split())
        assert desk.post(address, {"name": "Ours now", "reason": WHY}).status_code == 403
        thing.refresh_from_db()
        assert thing.name != "Ours now"


@pytest.mark.parametrize("role", [Role.PHYSICIAN, Role.ADMINISTRATOR])
def test_another_role_at_the_other_centre_does_not_count(desk, data_manager, everyone, other_centre, role):
    Membership.objects.create(user=data_manager, centre=other_centre, role=role)

    assert desk.post(page(Cohort, "change", everyone.pk), {"reason": WHY}).status_code == 403


def test_who_manages_cohorts_at_every_centre_changes_them(desk, data_manager, everyone, other_centre):
    both_centres(data_manager, other_centre)

    for thing in (everyone, everyone.definition):
        response = change(desk, thing, name="New name", reason=WHY)
        assert response.status_code == 302, errors_of(response)


def test_a_superuser_changes_all(root, everyone, other_centre):
    for thing in (everyone, everyone.definition):
        assert change(root, thing, name="New name", reason=WHY).status_code == 302


def test_a_cohort_of_the_own_centre_is_ones_own(desk, own, other_centre):
    for thing in (own, own.definition):
        response = change(desk, thing, name="New name", reason=WHY)
        assert response.status_code == 302, errors_of(response)


def test_a_definition_is_closed_once_another_centres_cohort_rests_on_it(desk, own, other_centre):
    Cohort.objects.create(slug="theirs", name="Theirs", definition=own.definition, centre_codes=["NRD"])

    response = desk.post(page(Definition, "change", own.definition_id), {"name": "Mine", "reason": WHY})

    assert response.status_code == 403


def test_a_cohort_is_not_widened_to_who_is_not_ones_own(desk, own, other_centre):
    everybody = change(desk, own, centre_codes=[], reason=WHY)
    theirs = change(desk, own, centre_codes=["STA", "NRD"], reason=WHY)

    assert "With nothing chosen every centre of the registry is counted" in errors_of(everybody)
    assert "NRD is not one of the available choices" in errors_of(theirs)
    own.refresh_from_db()
    assert own.centre_codes == ["STA"]


def cohort_values(definition: Definition, **values: Any) -> dict[str, Any]:
    plain = {
        "name": "New",
        "slug": "new",
        "definition": definition.pk,
        "courses_counted": "first",
        "remarks": "{}",
    }
    return plain | values


def test_a_new_cohort_counts_centres_of_the_own_only(desk, data_manager, own, other_centre):
    Membership.objects.create(user=data_manager, centre=other_centre, role=Role.PHYSICIAN)
    add = page(Cohort, "add")

    everybody = desk.post(add, cohort_values(own.definition))
    theirs = desk.post(add, cohort_values(own.definition, centre_codes=["NRD"]))
    unknown = desk.post(add, cohort_values(own.definition, centre_codes=["XYZ"]))
    ours = desk.post(add, cohort_values(own.definition, centre_codes=["STA"]))

    assert "choose the centres" in errors_of(everybody)
    assert "NRD is not one of the available choices" in errors_of(theirs)
    assert "XYZ is not one of the available choices" in errors_of(unknown)
    assert ours.status_code == 302, errors_of(ours)


def test_a_new_cohort_of_all_centres_is_for_who_manages_them_all(desk, data_manager, own, other_centre):
    both_centres(data_manager, other_centre)

    response = desk.post(page(Cohort, "add"), cohort_values(own.definition))

    assert response.status_code == 302, errors_of(response)
    assert Cohort.objects.get(slug="new").centre_codes == []


# What can be read


def test_a_centre_code_that_no_centre_has_is_named(root, own):
    Cohort.objects.filter(pk=own.pk).update(centre_codes=["STA", "GONE"])

    response = change(root, own, name="Kept", reason=WHY)

    assert "No centre has the code GONE." in errors_of(response)
    assert change(root, own, centre_codes=["STA"], reason=WHY).status_code == 302


@pytest.mark.parametrize("field", ["tumour_types", "primary_sites"])
def test_a_filter_by_what_does_not_exist_is_refused(desk, own, field):
    assert "is not one of the available choices" in errors_of(
        change(desk, own, **{field: ["spleen"]}, reason=WHY)
    )


@pytest.mark.parametrize(
    ("endpoints", "why"),
    [
        ('{"landmark_month": [6]}', "unknown landmark_month"),
        ('{"landmark_months": [12, 6]}', "expected each month once, ascending"),
        ('{"month_days": "NaN"}', "month_days Decimal('NaN'): expected"),
        ('{"new_therapy": ["censor"]}', "new_therapy"),
        ("[]", "These are not the fields of a definition"),
        ("5", "These are not the fields of a definition"),
        ('{"landmark_months": ', "Enter a valid JSON."),
    ],
)
def test_a_definition_that_cannot_be_read_is_refused_with_the_reason(desk, own, endpoints, why):
    added = desk.post(page(Definition, "add"), {"name": "Another", "endpoints": endpoints})
    changed = change(desk, own.definition, endpoints=endpoints, reason=WHY)

    for response in (added, changed):
        assert why in errors_of(response)
        assert len(response.context["adminform"].form.errors["endpoints"]) == 1
    own.definition.refresh_from_db()
    assert own.definition.endpoints == {"landmark_months": [6, 12]}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"remarks": '["orr"]'}, "Write each figure with its explanation"),
        ({"remarks": '{"orr": 1}'}, "Write each figure with its explanation"),
        ({"remarks": '{"response": "Mind."}'}, "No figure is called response"),
        ({"started_from": "2020-02-01", "started_to": "2020-01-31"}, "nobody would be counted"),
    ],
)
def test_a_cohort_that_a_dashboard_could_not_show_is_refused(desk, own, values, why):
    assert why in errors_of(change(desk, own, **values, reason=WHY))


def test_a_cohort_without_remarks_holds_an_empty_object(desk, own):
    own.remarks = {"orr": "Mind the denominator."}
    own.save()

    response = change(desk, own, remarks="", reason=WHY)

    assert response.status_code == 302, errors_of(response)
    own.refresh_from_db()
    assert own.remarks == {}


# Protocols


def test_a_protocol_in_use_is_reworded_and_keeps_its_plan(desk, centre):
    protocol = default_protocol()
    CourseFactory(patient=PatientFactory(centre=centre))

    response = change(desk, protocol, source="Label, 2023", reason=WHY)

    assert response.status_code == 302, errors_of(response)
    protocol.refresh_from_db()
    assert (protocol.interval_days, protocol.source) == (56, "Label, 2023")
    form = desk.get(page(Protocol, "change", protocol.pk)).context["adminform"].form
    assert "interval_days" not in form.fields


def test_a_plan_that_a_course_began_to_follow_meanwhile_is_refused_in_the_form(desk, centre):
    """The form was opened while nobody followed the plan: only the database can tell, and it does so as an error."""
    protocol = default_protocol()
    address = page(Protocol, "change", protocol.pk)
    seen = form_values(desk, address)
    assert seen["interval_days"] == 56
    CourseFactory(patient=PatientFactory(centre=centre))

    refused = desk.post(address, seen | {"interval_days": "28", "reason": WHY})
    reworded = desk.post(address, seen | {"source": "Label, 2023", "reason": WHY})

    assert "make a new version instead of changing its plan" in errors_of(refused)
    assert reworded.status_code == 302, errors_of(reworded)
    protocol.refresh_from_db()
    assert (protocol.interval_days, protocol.source) == (56, "Label, 2023")


def test_a_plan_that_nobody_follows_is_changed(desk, centre):
    protocol = default_protocol()

    assert change(desk, protocol, interval_days="42", reason=WHY).status_code == 302
    protocol.refresh_from_db()
    assert protocol.interval_days == 42


# Centres


@pytest.mark.parametrize("role", [Role.DATA_MANAGER, Role.ADMINISTRATOR])
def test_a_centre_is_changed_at_its_own_desk(client, user_with, centre, other_centre, role):
    client.force_login(user_with(role))

    assert change(client, centre, name="Renamed", reason=WHY).status_code == 302
    elsewhere = client.post(
        page(Centre, "change", other_centre.pk), {"name": "Renamed", "time_zone": "UTC", "reason": WHY}
    )

    assert elsewhere.status_code == 302  # as for a centre that does not exist
    assert set(Centre.objects.values_list("code", "name")) == {("STA", "Renamed"), ("NRD", "Clinic NRD")}
    assert client.get(page(Centre, "add")).status_code == 403


def test_a_role_without_the_desk_does_not_open_a_centre(desk, data_manager, other_centre):
    Membership.objects.create(user=data_manager, centre=other_centre, role=Role.PHYSICIAN)

    desk.post(page(Centre, "change", other_centre.pk), {"name": "Ours", "time_zone": "UTC", "reason": WHY})

    other_centre.refresh_from_db()
    assert other_centre.name == "Clinic NRD"


def test_a_centre_keeps_its_code_and_a_zone_that_exists(desk, centre):
    refused = change(desk, centre, time_zone="Mars/Phobos", reason=WHY)
    change(desk, centre, code="XXX", name="Renamed", reason=WHY)

    assert "is not an IANA time zone" in errors_of(refused)
    centre.refresh_from_db()
    assert (centre.code, centre.name) == ("STA", "Renamed")


# Roles of users


@pytest.fixture
def administration_desk(client: Client, user_with: Callable[..., User]) -> Client:
    client.force_login(user_with(Role.ADMINISTRATOR, username="administrator"))
    return client


@pytest.fixture
def reader(user_with: Callable[..., User]) -> User:
    return user_with(Role.READER, username="reader")


def role_row(user: User, **values: Any) -> dict[str, Any]:
    role = user.memberships.get(centre__code="STA")
    return {"id": role.pk, "user": user.pk, "centre": role.centre_id, "role": role.role} | values


def save_user(client: Client, user: User, *rows: dict[str, Any], initial: int = 1, **values: Any) -> Any:
    account = {"username": user.username, "is_active": "on"} | values
    return client.post(page(User, "change", user.pk), account | inline(*rows, initial=initial))


@pytest.mark.parametrize("touch", [{"role": Role.PHYSICIAN}, {"DELETE": "on"}], ids=["changed", "taken away"])
def test_a_role_is_changed_or_taken_away_with_a_reason(administration_desk, reader, touch):
    refused = save_user(administration_desk, reader, role_row(reader, **touch))

    assert refused.status_code == 200
    assert "Say why a role is changed or taken away" in refused.content.decode()
    assert [role.role for role in reader.memberships.all()] == [Role.READER]

    stored = save_user(administration_desk, reader, role_row(reader, **touch), reason=WHY)

    assert stored.status_code == 302, stored.context["errors"]
    row = rows_of(Membership).filter(user_id=reader.pk).last()
    assert (row.pgh_label, row.pgh_context["reason"]) == ("delete" if "DELETE" in touch else "update", WHY)
    assert (row.pgh_context["username"], row.pgh_context["source"]) == ("administrator", "admin")


def test_a_further_role_and_a_new_name_need_no_reason(administration_desk, reader, centre):
    further = {"user": reader.pk, "centre": centre.pk, "role": Role.PHYSICIAN}

    response = save_user(administration_desk, reader, role_row(reader), further, username="renamed")

    assert response.status_code == 302, response.context["errors"]
    assert {role.role for role in reader.memberships.all()} == {Role.READER, Role.PHYSICIAN}


def test_a_role_stays_at_its_centre(root, reader, other_centre):
    save_user(root, reader, role_row(reader, centre=other_centre.pk, role=Role.PHYSICIAN), reason=WHY)

    assert [(role.centre.code, role.role) for role in reader.memberships.all()] == [("STA", Role.PHYSICIAN)]


def test_the_history_of_a_user_tells_the_roles_at_the_own_centres_and_no_others(
    administration_desk, root, reader, centre, other_centre
):
    Membership.objects.create(user=reader, centre=other_centre, role=Role.INTEGRATION)
    save_user(administration_desk, reader, role_row(reader, role=Role.PHYSICIAN), reason="New post")
    leaving = role_row(reader, DELETE="on")
    researcher = {"user": reader.pk, "centre": centre.pk, "role": Role.RESEARCHER}
    save_user(administration_desk, reader, leaving, researcher, reason="Left the house")

    response = administration_desk.get(page(User, "history", reader.pk))
    text = " ".join(response.content.decode().split())

    assert [(change.what, change.reason, change.who) for change in response.context["changes"]] == [
        ("Entered", "Left the house", "administrator"),
        ("Deleted", "Left the house", "administrator"),
        ("Changed", "New post", "administrator"),
        ("Entered", "", NOBODY),
    ]
    for told in ("Membership: Physician at STA", "Role:</strong> Reader → Physician", "Left the house"):
        assert told in text
    assert "NRD" not in text
    assert "NRD" in root.get(page(User, "history", reader.pk)).content.decode()


def test_renaming_an_account_stands_in_its_log_without_its_roles(administration_desk, reader, centre):
    further = {"user": reader.pk, "centre": centre.pk, "role": Role.PHYSICIAN}
    save_user(administration_desk, reader, role_row(reader), further, username="renamed")

    (entry,) = administration_desk.get(page(User, "history", reader.pk)).context["log"]

    assert entry.get_change_message() == "Changed Username."


@pytest.mark.parametrize("synthetic", [True, False])
def test_every_page_of_the_desk_says_whether_the_patients_are_synthetic(data_manager, settings, synthetic):
    settings.SYNTHETIC_DATA_BANNER = synthetic
    client = Client()
    client.force_login(data_manager)

    for path in ("/admin/", "/admin/patients/patient/", "/admin/treatments/cycle/add/"):
        page = client.get(path).content.decode()
        assert ("Synthetic patients: demonstration data" in page) is synthetic, path
