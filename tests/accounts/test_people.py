"""People outside the admin: who manages whom, roles, accounts, links, sessions, tokens; and one's own account."""

import re
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from axes.models import AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from knox.models import AuthToken

from accounts import services, tasks
from accounts.changes import rows_of
from accounts.errors import RegistryError
from accounts.models import Membership, Role, User
from tests.clinic.test_pages import INLINE, signed_in
from tests.factories import CentreFactory, make_user

PASSWORD = "a long sentence to remember"
NEW_PASSWORD = "quite another sentence to keep"


@pytest.fixture
def administrator(user_with) -> User:
    return user_with(Role.ADMINISTRATOR, username="administrator")


@pytest.fixture
def nurse(user_with) -> User:
    nurse = user_with(Role.COORDINATOR, username="nurse", first_name="Nora")
    nurse.set_password(PASSWORD)
    nurse.save()
    return nurse


def person_url(person: User) -> str:
    return reverse("person", args=[person.pk])


def act(client: Client, person: User, name: str, **values: object):
    return client.post(person_url(person), {"act": name, **values})


def by_password(username: str, password: str = PASSWORD) -> Client:
    """Return a browser that signed in at the page of signing in."""
    client = Client(headers={"user-agent": f"Browser of {username}"})
    client.post(reverse("account_login"), {"login": username, "password": password})
    return client


def is_signed_in(client: Client) -> bool:
    return client.get(reverse("home")).status_code == 200


def page(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


# The list


def test_the_list_shows_the_people_of_the_managed_centres_with_their_roles_there(
    administrator, nurse, user_with, other_centre, django_assert_max_num_queries
):
    nurse.memberships.create(centre=other_centre, role=Role.PHYSICIAN)
    user_with(Role.PHYSICIAN, other_centre, username="stranger")
    Authenticator.objects.create(user=nurse, type=Authenticator.Type.TOTP, data={})
    client = signed_in(administrator)
    with django_assert_max_num_queries(9):
        said = page(client.get(reverse("people")))

    assert "nurse" in said
    assert "Coordinator at STA" in said
    assert "at NRD" not in said
    assert "stranger" not in said
    assert said.count(">On<") == 1
    for n in range(5):
        user_with(Role.READER, username=f"reader{n}")
    with django_assert_max_num_queries(9):
        client.get(reverse("people"))


@pytest.mark.parametrize("role", [None, *(role for role in Role.values if role != Role.ADMINISTRATOR)])
def test_people_are_for_administrators(role, nurse, user_with):
    client = signed_in(user_with(role))
    for url in (reverse("people"), reverse("person-new")):
        assert client.get(url).status_code == 403
    assert client.get(person_url(nurse)).status_code == 404
    assert act(client, nurse, "close", **{"close-reason": "x"}).status_code == 404
    assert User.objects.get(pk=nurse.pk).is_active


def test_a_person_of_another_centre_is_not_there(administrator, user_with, other_centre):
    stranger = user_with(Role.PHYSICIAN, other_centre)
    client = signed_in(administrator)

    assert client.get(person_url(stranger)).status_code == 404
    assert act(client, stranger, "link").status_code == 404
    with pytest.raises(PermissionDenied):
        services.close_account(person=stranger, reason="x", by=administrator)
    with pytest.raises(PermissionDenied):
        services.give_role(
            person=stranger, centre=administrator.memberships.get().centre, role=Role.READER, by=administrator
        )


# Roles


def test_a_role_is_given_and_ended_with_a_reason_in_the_history(administrator, nurse, centre):
    client = signed_in(administrator)
    given = act(client, nurse, "give-role", **{"role-centre": centre.pk, "role-role": "physician"})
    assert given.status_code == 302
    membership = nurse.memberships.get(role=Role.PHYSICIAN)

    assert act(client, nurse, "end-role", membership=membership.pk, reason="  ").status_code == 409
    ended = act(client, nurse, "end-role", membership=membership.pk, reason="Left the ward")
    assert ended.status_code == 302
    assert not nurse.memberships.filter(role=Role.PHYSICIAN).exists()
    row = rows_of(Membership).filter(pgh_obj_id=membership.pk).last()
    assert row.pgh_context["reason"] == "Left the ward"
    assert row.pgh_context["username"] == "administrator"


def test_a_role_is_given_only_at_a_managed_centre_and_once(administrator, nurse, centre, other_centre):
    client = signed_in(administrator)

    answer = act(client, nurse, "give-role", **{"role-centre": other_centre.pk, "role-role": "physician"})
    assert answer.status_code == 422
    with pytest.raises(PermissionDenied):
        services.give_role(person=nurse, centre=other_centre, role=Role.PHYSICIAN, by=administrator)
    answer = act(client, nurse, "give-role", **{"role-centre": centre.pk, "role-role": "coordinator"})
    assert answer.status_code == 422
    assert "already" in page(answer)
    with pytest.raises(ValidationError):
        services.give_role(person=nurse, centre=centre, role="king", by=administrator)
    assert nurse.memberships.count() == 1


def test_a_role_elsewhere_is_neither_shown_nor_ended(administrator, nurse, other_centre):
    elsewhere = nurse.memberships.create(centre=other_centre, role=Role.READER)
    client = signed_in(administrator)

    said = page(client.get(person_url(nurse)))
    assert "And 1 role at centres that you do not manage" in said
    assert "NRD" not in said
    assert act(client, nurse, "end-role", membership=elsewhere.pk, reason="x").status_code == 404
    with pytest.raises(PermissionDenied):
        services.end_role(membership=elsewhere, reason="x", by=administrator)
    assert Membership.objects.filter(pk=elsewhere.pk).exists()


def test_nobody_changes_their_own_roles_or_account(administrator, user_with, centre):
    user_with(Role.ADMINISTRATOR, username="second")
    client = signed_in(administrator)

    for name, values in {
        "give-role": {"role-centre": centre.pk, "role-role": "physician"},
        "end-role": {"membership": administrator.memberships.get().pk, "reason": "x"},
        "close": {"close-reason": "x"},
        "link": {},
    }.items():
        answer = act(client, administrator, name, **values)
        assert answer.status_code == 409, name
        assert "Nobody manages their own account" in page(answer)
    assert list(administrator.memberships.values_list("role", flat=True)) == [Role.ADMINISTRATOR]
    assert "Give the role" not in page(client.get(person_url(administrator)))


def test_nobody_gives_themselves_a_role_at_the_correction_desk(administrator, centre):
    url = reverse("admin:accounts_user_change", args=[administrator.pk])
    client = signed_in(administrator)
    client.post(
        url,
        {
            "username": "administrator",
            "reason": "x",
            "memberships-TOTAL_FORMS": "2",
            "memberships-INITIAL_FORMS": "1",
            "memberships-0-id": administrator.memberships.get().pk,
            "memberships-0-user": administrator.pk,
            "memberships-0-centre": centre.pk,
            "memberships-0-role": "administrator",
            "memberships-1-user": administrator.pk,
            "memberships-1-centre": centre.pk,
            "memberships-1-role": "physician",
        },
    )
    assert list(administrator.memberships.values_list("role", flat=True)) == [Role.ADMINISTRATOR]


def test_the_last_administrator_of_a_centre_stays(administrator, centre, user_with):
    other = user_with(Role.ADMINISTRATOR, username="other")
    User.objects.filter(pk=other.pk).update(is_active=False)  # who cannot sign in does not count
    superuser = User.objects.create_superuser("root")

    for refused_act in (
        lambda: services.end_role(membership=administrator.memberships.get(), reason="x", by=superuser),
        lambda: services.close_account(person=administrator, reason="x", by=superuser),
    ):
        with pytest.raises(RegistryError) as refused:
            refused_act()
        assert refused.value.code == "last_administrator"
    assert User.objects.get(pk=administrator.pk).is_active
    assert administrator.memberships.exists()

    User.objects.filter(pk=other.pk).update(is_active=True)
    services.close_account(person=administrator, reason="x", by=superuser)


def test_the_last_administrator_stays_at_the_correction_desk_too(administrator, centre):
    client = signed_in(User.objects.create_superuser("root"))
    url = reverse("admin:accounts_user_change", args=[administrator.pk])
    of_role = {
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": administrator.memberships.get().pk,
        "memberships-0-user": administrator.pk,
        "memberships-0-centre": centre.pk,
        "memberships-0-role": "administrator",
    }
    account = {"username": "administrator", "reason": "x", "is_active": "on"}
    for values in (
        account | of_role | {"memberships-0-DELETE": "on"},
        account | of_role | {"memberships-0-role": "reader"},
        {"username": "administrator", "reason": "x"} | of_role,
    ):
        answer = client.post(url, values)
        assert answer.status_code == 200
        assert "left without an administrator" in answer.content.decode()
    assert User.objects.get(pk=administrator.pk).is_active
    assert administrator.memberships.get().role == Role.ADMINISTRATOR


def test_two_administrators_who_end_each_other_at_once_leave_one(committed):
    centre = CentreFactory(code="STA")
    both = [make_user(role=Role.ADMINISTRATOR, centre=centre, username=name) for name in ("one", "two")]
    start, said = Barrier(2), []

    def end(by: User, of: User) -> None:
        try:
            start.wait()
            services.end_role(membership=of.memberships.get(), reason="x", by=by)
            said.append("ended")
        except (RegistryError, PermissionDenied) as refused:
            said.append(getattr(refused, "code", "refused"))
        finally:
            connection.close()

    threads = [Thread(target=end, args=pair) for pair in ((both[0], both[1]), (both[1], both[0]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Membership.objects.filter(role=Role.ADMINISTRATOR).count() == 1, said


# Accounts


def test_a_person_is_added_and_sets_the_password_by_a_link_that_works_once(administrator, centre):
    client = signed_in(administrator)
    values = {
        "username": "new.nurse",
        "first_name": "Nele",
        "last_name": "",
        "centre": centre.pk,
        "role": "coordinator",
    }
    assert client.post(reverse("person-new"), values).status_code == 302
    person = User.objects.get(username="new.nurse")
    assert not person.has_usable_password()
    assert person.memberships.get().role == Role.COORDINATOR

    made = act(client, person, "link")
    assert "no-store" in made["Cache-Control"]
    (link,) = re.findall(r"http://testserver(/account/password/reset/key/[^<\s]+)", made.content.decode())
    assert link not in client.get(person_url(person)).content.decode()

    newcomer = Client()
    form = newcomer.get(link, follow=True)
    assert "Set a new password" in page(form)
    place = form.redirect_chain[-1][0]
    assert "set-password" in place  # the key leaves the address
    weak = newcomer.post(place, {"password1": "short", "password2": "short"})
    assert "The password is not set yet" in page(weak)
    done = newcomer.post(place, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}, follow=True)
    assert "Your password is set" in page(done)
    assert is_signed_in(by_password("new.nurse", NEW_PASSWORD))
    assert "This link does not work any more" in page(Client().get(link, follow=True))


def test_a_link_ends_after_a_day(administrator, nurse, settings):
    link = services.password_link(person=nurse, by=administrator)
    assert settings.PASSWORD_RESET_TIMEOUT == 24 * 3600
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "This link does not work any more" in page(Client().get(link, follow=True))


def test_a_user_name_that_is_taken_is_refused(administrator, nurse, centre):
    values = {"username": "nurse", "centre": centre.pk, "role": "coordinator"}
    answer = signed_in(administrator).post(reverse("person-new"), values)
    assert answer.status_code == 422
    assert "already exists" in page(answer)


def test_a_closed_account_is_out_at_once_and_can_be_opened_again(administrator, nurse):
    browser = by_password("nurse")
    _, secret = services.create_token(by=nurse)
    api = Client(headers={"authorization": f"Token {secret}"})
    assert is_signed_in(browser)
    assert api.get("/api/v1/patients/").status_code == 200

    client = signed_in(administrator)
    assert act(client, nurse, "close").status_code == 422
    assert act(client, nurse, "close", **{"close-reason": "Left the clinic"}).status_code == 302
    assert not is_signed_in(browser)
    assert api.get("/api/v1/patients/").status_code == 401
    assert not is_signed_in(by_password("nurse"))
    assert not UserSession.objects.filter(user=nurse).exists()
    assert act(client, nurse, "link").status_code == 409

    assert act(client, nurse, "open").status_code == 302
    assert not is_signed_in(browser)
    assert api.get("/api/v1/patients/").status_code == 401
    assert is_signed_in(by_password("nurse"))
    log = LogEntry.objects.filter(object_id=str(nurse.pk)).order_by("pk")
    assert [entry.change_message for entry in log] == [
        "Closed the account: Left the clinic",
        "Opened the account again.",
    ]


def test_sessions_are_ended_and_tokens_revoked(administrator, nurse):
    first, second = by_password("nurse"), by_password("nurse")
    AuthToken.objects.create(user=nurse)
    client = signed_in(administrator)
    said = page(client.get(person_url(nurse)))
    assert "2 open" in said
    assert "1 in force" in said

    act(client, nurse, "end-sessions")
    act(client, nurse, "revoke-tokens")
    assert not is_signed_in(first)
    assert not is_signed_in(second)
    assert not AuthToken.objects.filter(user=nurse).exists()


def test_an_account_with_roles_elsewhere_and_a_superuser_are_not_touched(
    administrator, nurse, other_centre, centre
):
    nurse.memberships.create(centre=other_centre, role=Role.READER)
    root = User.objects.create_superuser("root")
    root.memberships.create(centre=centre, role=Role.READER)
    client = signed_in(administrator)

    for name in ("close", "link", "end-sessions", "revoke-tokens"):
        assert act(client, nurse, name, **{"close-reason": "x"}).status_code == 409, name
        answer = act(client, root, name, **{"close-reason": "x"})
        assert answer.status_code == 403, name
    with pytest.raises(PermissionDenied):
        services.end_role(membership=root.memberships.get(), reason="x", by=administrator)
    assert User.objects.filter(pk__in=[nurse.pk, root.pk], is_active=True).count() == 2


# Sign-ins


def test_sign_ins_and_failures_are_shown_to_the_person_and_the_administrator(administrator, nurse, settings):
    settings.AXES_ENABLED = True
    by_password("nurse", "a wrong sentence to remember")
    own = by_password("nurse")
    assert AccessLog.objects.filter(username="nurse").count() == 1
    assert AccessFailureLog.objects.filter(username="nurse").count() == 1

    for said in (
        page(own.get(reverse("account-security"))),
        page(signed_in(administrator).get(person_url(nurse))),
    ):
        assert ">Failed<" in said
        assert ">Signed in<" in said
        assert "Browser of nurse" in said


def test_what_has_expired_of_sign_ins_and_sessions_is_removed(nurse, settings):
    settings.AXES_ENABLED = True
    by_password("nurse", "a wrong sentence to remember")
    by_password("nurse")
    old = timezone.now() - timedelta(days=91)
    AccessLog.objects.update(attempt_time=old)
    live = by_password("nurse")
    gone = by_password("nurse")
    gone.session.delete(gone.session.session_key)

    tasks.tidy()
    tasks.tidy()

    assert AccessLog.objects.filter(username="nurse").count() == 2
    assert AccessFailureLog.objects.count() == 1
    assert {one.session_key for one in UserSession.objects.filter(user=nurse)} >= {live.session.session_key}
    assert not UserSession.objects.filter(session_key=gone.cookies["sessionid"].value).exists()


# One's own account


def test_own_sessions_are_listed_and_the_others_ended(nurse, physician):
    here, there, third = by_password("nurse"), by_password("nurse"), by_password("nurse")
    other = UserSession.objects.exclude(session_key=here.session.session_key).order_by("pk").first()

    said = page(here.get(reverse("account-security")))
    assert said.count("this one") == 1
    assert "End all others" in said
    here.post(reverse("account-security"), {"act": "end-session", "id": other.pk})
    assert (is_signed_in(here), is_signed_in(there), is_signed_in(third)) == (True, False, True)
    here.post(reverse("account-security"), {"act": "end-others"})
    assert (is_signed_in(here), is_signed_in(third)) == (True, False)


def test_nobody_ends_anothers_session_or_token(nurse, physician):
    browser = by_password("nurse")
    token, _ = AuthToken.objects.create(user=nurse)
    client = signed_in(physician)
    session = UserSession.objects.get(user=nurse)

    client.post(reverse("account-security"), {"act": "end-session", "id": session.pk})
    client.post(reverse("account-security"), {"act": "revoke-token", "id": token.token_key})
    client.post(reverse("account-security"), {"act": "end-others"})
    assert is_signed_in(browser)
    assert AuthToken.objects.filter(user=nurse).count() == 1


def test_an_own_token_is_shown_once_and_revoked(nurse, settings):
    client = signed_in(nurse)
    url = reverse("account-security")
    made = client.post(url, {"act": "create-token"})
    assert "no-store" in made["Cache-Control"]
    (secret,) = re.findall(r'<code class="account-secret">([0-9a-f]+)</code>', made.content.decode())
    api = Client(headers={"authorization": f"Token {secret}"})
    assert api.get("/api/v1/patients/").status_code == 200

    listed = client.get(url).content.decode()
    token = AuthToken.objects.get(user=nurse)
    assert secret not in listed
    assert token.token_key in listed
    client.post(url, {"act": "revoke-token", "id": token.token_key})
    assert api.get("/api/v1/patients/").status_code == 401


def test_no_more_tokens_than_the_limit(nurse):
    for _ in range(20):
        services.create_token(by=nurse)
    answer = signed_in(nurse).post(reverse("account-security"), {"act": "create-token"})
    assert answer.status_code == 409
    assert "which is the limit" in page(answer)


def test_the_pages_hold_to_the_content_security_policy(administrator, nurse):
    client = signed_in(administrator)
    for url in (reverse("people"), reverse("person-new"), person_url(nurse), reverse("account-security")):
        answer = client.get(url)
        assert answer.status_code == 200
        assert INLINE.findall(answer.content.decode()) == [], url
