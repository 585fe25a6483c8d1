"""The import pages: from a file that is sent to records that are stored, and back."""

import io
import re
import zipfile
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import Centre, Role
from accounts.records import correct_record, create_record
from exchange import exporting, importing, tasks, writing
from exchange.mapping import SheetMapping
from exchange.models import ColumnMapping, Import, ImportedRow, ImportState
from patients.models import Contact, Patient, PatientIdentity
from tests.clinic.test_pages import signed_in
from tests.exchange.conftest import Tables, as_csv
from tests.exchange.sheets import NEXT, PROTOCOL, at, messy, workbook
from treatments.models import Administration, Cycle


@pytest.fixture
def client(data_manager) -> Client:
    return signed_in(data_manager)


def zipped(tables: Tables) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, rows in tables.items():
            archive.writestr(f"{name}.csv", as_csv(rows))
    return content.getvalue()


def send(client: Client, centre: Centre, content: bytes, name: str = "Müller, Erika.xlsx") -> Any:
    return client.post("/imports/", {"centre": centre.pk, "file": SimpleUploadedFile(name, content)})


def fields_of(page: str) -> dict[str, str]:
    """Return what the form of the columns holds as it was shown."""
    found = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page))
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        found[name] = chosen[1] if chosen else ""
    return found


def map_and_check(client: Client, job: Import, **changed: str) -> Any:
    page = client.get(f"/imports/{job.pk}/columns/").content.decode()
    return client.post(f"/imports/{job.pk}/columns/", fields_of(page) | {"protocol": PROTOCOL} | changed)


def test_a_messy_sheet_goes_through_the_pages_into_the_registry(station, client):
    answer = send(client, station, messy())
    job = Import.objects.get()
    assert answer.headers["Location"] == f"/imports/{job.pk}/columns/"
    page = client.get(answer.headers["Location"]).content.decode()
    assert "Zyklus 1 · Aktivität (GBq)" in page
    assert fields_of(page)["target_4"] == "cycles.administered_at"

    answer = map_and_check(client, job)
    assert answer.headers["Location"] == f"/imports/{job.pk}/"
    page = client.get(f"/imports/{job.pk}/").content.decode()
    assert "Checked: nothing is stored yet" in page
    assert not Patient.objects.exists()

    client.post(f"/imports/{job.pk}/start/")
    client.post(f"/imports/{job.pk}/start/")  # a second press
    assert "Waiting for a worker" in client.get(f"/imports/{job.pk}/").content.decode()
    call_command("run_imports")
    call_command("run_imports")

    page = client.get(f"/imports/{job.pk}/").content.decode()
    assert "Undo this import" in page
    assert Patient.objects.count() == 3
    assert Administration.objects.count() == 4
    job.refresh_from_db()
    assert job.content is None


def test_neither_the_name_of_the_file_nor_a_name_in_it_is_kept_outside_its_content(station, client):
    send(client, station, messy(*NEXT))
    job = Import.objects.get()
    map_and_check(client, job)

    held = {field: value for field, value in Import.objects.values()[0].items() if field != "content"}
    assert "Müller" not in str(held)
    assert "4714" not in str(held)
    assert held["n_problems"] == 1


def test_what_is_wrong_is_named_on_the_page_and_in_the_file(station, client):
    send(client, station, messy(*NEXT))
    job = Import.objects.get()
    map_and_check(client, job)

    page = client.get(f"/imports/{job.pk}/").content.decode()
    assert "could be 1959-03-04 or 1959-04-03" in page
    answer = client.get(f"/imports/{job.pk}/download/")
    sheet = load_workbook(io.BytesIO(answer.content)).active
    assert sheet.cell(4, 10).value == "problems"
    assert sheet.cell(10, 10).value.startswith("Geburtsdatum: could be 1959-03-04 or 1959-04-03")
    assert sheet.cell(5, 10).value in (None, "")
    assert {str(cells) for cells in sheet.merged_cells.ranges} >= {"E3:F3", "A3:A4"}

    # Corrected in that file and sent again, it is read as before.
    sheet.cell(10, 3).value = "3.4.1959"
    sheet.cell(10, 3).value = date(1959, 4, 3)
    again = io.BytesIO()
    sheet.parent.save(again)
    send(client, station, again.getvalue())
    second = Import.objects.exclude(pk=job.pk).get()
    map_and_check(client, second)
    second.refresh_from_db()
    assert second.state == ImportState.CHECKED


def test_a_stated_style_on_the_columns_page_decides_what_was_ambiguous(station, client):
    send(client, station, messy(*NEXT))
    job = Import.objects.get()

    map_and_check(client, job, date_style="dmy")

    job.refresh_from_db()
    assert (job.state, job.problems) == (ImportState.CHECKED, [])


def test_the_annotated_csv_holds_no_formula_and_comes_back_the_same(station, client):
    content = 'MRN;Nachname;Geburtsdatum;Geschlecht\r\n1;"=HYPERLINK(""x"")";03/04/1950;w\r\n2;-Smith;1951-01-01;m\r\n'
    send(client, station, content.encode())
    job = Import.objects.get()
    map_and_check(client, job)

    annotated = client.get(f"/imports/{job.pk}/download/").content.decode("utf-8-sig")

    assert annotated.splitlines()[0] == "MRN;Nachname;Geburtsdatum;Geschlecht;problems"
    assert "'=HYPERLINK" in annotated
    assert ";'-Smith;" in annotated
    send(client, station, annotated.replace("03/04/1950", "1950-04-03").encode())
    second = Import.objects.exclude(pk=job.pk).get()
    map_and_check(client, second)
    client.post(f"/imports/{second.pk}/start/")
    call_command("run_imports")
    assert set(PatientIdentity.objects.values_list("family_name", flat=True)) == {'=HYPERLINK("x")', "-Smith"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"  \n", "The file is empty"),
        (b"\xd0\xcf\x11\xe0rest", "save it as .xlsx"),
        (b"PK\x03\x04 no archive", "cannot be opened as one"),
        (b"\x00\x01\x02\x03binary", "Expected a CSV file"),
    ],
)
def test_what_is_no_sheet_is_refused_and_not_kept(station, client, content: bytes, said: str):
    answer = send(client, station, content)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Import.objects.exists()


def test_who_chose_no_file_is_told_so(station, client):
    answer = client.post("/imports/", {"centre": station.pk})

    assert answer.status_code == 422
    assert "Choose a file first" in answer.content.decode()


def test_a_file_that_is_too_large_is_told_so(station, client, monkeypatch):
    monkeypatch.setattr("exchange.upload.MOST_BYTES", 100_000)

    answer = send(client, station, b"a;b\n" * 60_000)

    assert answer.status_code == 413
    assert "The file is larger than" in answer.content.decode()
    assert not Import.objects.exists()


def test_a_bomb_is_refused(station, client, monkeypatch):
    monkeypatch.setattr("exchange.reading.MAX_BYTES", 1_000_000)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 2_000_000)

    answer = send(client, station, bomb.getvalue())

    assert answer.status_code == 422
    assert "unpacked" in answer.content.decode()


def test_a_form_without_its_token_is_refused(station, data_manager):
    client = Client(enforce_csrf_checks=True)
    client.force_login(data_manager, backend="django.contrib.auth.backends.ModelBackend")

    assert send(client, station, messy()).status_code == 403
    assert not Import.objects.exists()


def test_a_column_without_which_rows_cannot_be_is_asked_for(station, client):
    send(client, station, messy())
    job = Import.objects.get()

    answer = map_and_check(client, job, target_3="")

    assert answer.status_code == 422
    assert "patients needs sex" in answer.content.decode()


def test_a_saved_mapping_is_offered_for_the_next_sheet(station, client):
    first = workbook([["No", "Born", "Sx"], ["77", "1.12.1950", "w"]])
    send(client, station, first)
    job = Import.objects.get()
    said = {"target_0": "patients.mrn", "target_1": "patients.birth_date", "target_2": "patients.sex"}
    map_and_check(client, job, **said, date_style="dmy", save_as="Our list")
    assert ColumnMapping.objects.get().name == "Our list"

    send(client, station, workbook([["Sx", "No", "Born"], ["m", "78", "3.4.1950"]]))

    second = Import.objects.exclude(pk=job.pk).get()
    map_and_check(client, second)
    second.refresh_from_db()
    assert second.problems == []
    assert second.counts == {"patients": {"new": 1, "changed": 0, "unchanged": 0}}


def test_the_registrys_own_format_needs_no_mapping_and_corrections_a_reason(station, client, tables: Tables):
    answer = send(client, station, zipped(tables), "cohort.zip")
    job = Import.objects.get()
    assert answer.headers["Location"] == f"/imports/{job.pk}/"
    client.post(f"/imports/{job.pk}/check/", {"reason": ""})
    client.post(f"/imports/{job.pk}/start/")
    call_command("run_imports")
    assert Patient.objects.count() == 2

    tables["patients"][0]["birth_date"] = "1957-03-03"
    send(client, station, zipped(tables), "cohort.zip")
    second = Import.objects.exclude(pk=job.pk).get()
    client.post(f"/imports/{second.pk}/check/", {"reason": ""})
    second.refresh_from_db()
    assert second.state == ImportState.REFUSED
    assert "needs a reason" in second.problems[0]["expected"]

    client.post(f"/imports/{second.pk}/check/", {"reason": "Passport seen"})
    second.refresh_from_db()
    assert second.state == ImportState.CHECKED
    client.post(f"/imports/{second.pk}/start/")
    call_command("run_imports")
    assert Patient.objects.get(registry_number="STA-0001").birth_date == date(1957, 3, 3)


def test_an_annotated_cohort_file_comes_back(station, client, tables: Tables):
    tables["contacts"][0]["known_alive_on"] = "3.6.2019"
    send(client, station, zipped(tables), "cohort.zip")
    job = Import.objects.get()
    client.post(f"/imports/{job.pk}/check/", {"reason": ""})

    answer = client.get(f"/imports/{job.pk}/download/")

    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        lines = archive.read("contacts.csv").decode().splitlines()
        files = {name: archive.read(name) for name in archive.namelist()}
    assert lines[0].endswith(",problems")
    assert "expected a date as 2019-01-07" in lines[1]
    assert "'=1+1" in lines[1]
    files["contacts.csv"] = files["contacts.csv"].replace(b"3.6.2019", b"2019-06-03")
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    send(client, station, again.getvalue(), "cohort.zip")
    second = Import.objects.exclude(pk=job.pk).get()
    client.post(f"/imports/{second.pk}/check/", {"reason": ""})
    client.post(f"/imports/{second.pk}/start/")
    call_command("run_imports")
    assert Contact.objects.get(source="visit").note == "=1+1"


def test_a_file_that_cannot_be_read_to_its_end_says_so_and_has_no_annotated_one(
    station, client, tables: Tables
):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("patients.csv", as_csv(tables["patients"]).encode("cp1252"))
    send(client, station, content.getvalue(), "cohort.zip")
    job = Import.objects.get()
    client.post(f"/imports/{job.pk}/check/", {"reason": ""})

    page = client.get(f"/imports/{job.pk}/download/", follow=True).content.decode()

    assert "patients.csv: expected UTF-8" in page
    assert "There is no file with its problems" in page


def test_an_exported_workbook_is_taken_as_the_registrys_own_format(
    station, client, import_tables, tables, tmp_path
):
    import_tables(tables)
    path = tmp_path / "cohort.xlsx"
    writing.write_cohort(path, exporting.tables(station, with_identity=True))

    send(client, station, path.read_bytes())

    job = Import.objects.get()
    assert job.kind == "cohort_xlsx"
    client.post(f"/imports/{job.pk}/check/", {"reason": ""})
    page = client.get(f"/imports/{job.pk}/").content.decode()
    assert "there is nothing to import" in page


# Undoing


def imported(client: Client, centre: Centre, content: bytes, **changed: str) -> Import:
    send(client, centre, content)
    job = Import.objects.latest("created_at")
    if job.is_own_sheet:
        map_and_check(client, job, **changed)
    else:
        client.post(f"/imports/{job.pk}/check/", {"reason": changed.get("reason", "")})
    client.post(f"/imports/{job.pk}/start/")
    call_command("run_imports")
    job.refresh_from_db()
    assert job.state == ImportState.DONE, job.problems
    return job


def test_an_import_is_undone_with_a_reason(station, client):
    job = imported(client, station, messy())
    assert client.post(f"/imports/{job.pk}/undo/", {"reason": " "}).status_code == 422

    answer = client.post(f"/imports/{job.pk}/undo/", {"reason": "Wrong clinic"})

    assert answer.status_code == 302
    assert not Patient.objects.current().exists()
    assert not Administration.objects.current().exists()
    assert set(Patient.objects.values_list("void_reason", flat=True)) == {"Wrong clinic"}
    page = client.get(f"/imports/{job.pk}/").content.decode()
    assert "Wrong clinic" in page
    # The same sheet can come again.
    imported(client, station, messy())
    assert Patient.objects.current().count() == 3


def test_a_very_large_import_is_undone_on_the_server(station, client, data_manager, monkeypatch):
    job = imported(client, station, messy())
    monkeypatch.setattr("exchange.views.MOST_UNDONE", 5)
    assert f"manage.py undo_import {job.pk}" in client.get(f"/imports/{job.pk}/undo/").content.decode()
    assert client.post(f"/imports/{job.pk}/undo/", {"reason": "Wrong clinic"}).status_code == 422
    assert Patient.objects.current().exists()

    call_command("undo_import", str(job.pk), "--reason", "Wrong clinic", "--user", data_manager.username)

    assert not Patient.objects.current().exists()


@pytest.mark.parametrize(
    ("reason", "user"), [(" ", "data_manager"), ("Wrong", "nobody"), ("Wrong", "reader")]
)
def test_the_server_undoes_nothing_without_a_reason_or_for_who_may_not(
    station, client, user_with, reason, user
):
    job = imported(client, station, messy())
    user_with(Role.READER, username="reader")

    with pytest.raises(CommandError):
        call_command("undo_import", str(job.pk), "--reason", reason, "--user", user)
    assert Patient.objects.current().count() == 3


def test_undoing_gives_back_what_was_changed(station, client, tables: Tables):
    imported(client, station, zipped(tables))
    tables["patients"][0]["birth_date"] = "1957-03-03"
    tables["cycles"][1]["lot"] = "OTHER"
    tables["contacts"].append(
        {"registry_number": "STA-0001", "known_alive_on": "2019-06-05", "source": "visit", "note": ""}
    )
    lot = Administration.objects.get(cycle__number=2, cycle__course__patient__registry_number="STA-0001").lot
    job = imported(client, station, zipped(tables), reason="Chart review")
    assert ImportedRow.objects.filter(of=job, was_created=False).count() == 2

    client.post(f"/imports/{job.pk}/undo/", {"reason": "Not this one"})

    patient = Patient.objects.get(registry_number="STA-0001")
    assert patient.birth_date == date(1957, 3, 2)
    assert patient.voided_at is None
    given = Administration.objects.get(cycle__number=2, cycle__course__patient=patient)
    assert given.lot == lot
    assert Contact.objects.current().count() == 2


def test_what_was_changed_or_added_since_stands_in_the_way_and_is_named(station, client, data_manager):
    job = imported(client, station, messy())
    patient = Patient.objects.get(registry_number="STA-0001")
    correct_record(patient, {"sex": "unknown"}, by=data_manager, reason="Seen again")
    create_record(Contact(patient=patient, known_alive_on=date(2019, 5, 1), source="visit"), by=data_manager)

    page = client.get(f"/imports/{job.pk}/undo/").content.decode()
    answer = client.post(f"/imports/{job.pk}/undo/", {"reason": "Wrong clinic"})

    assert "STA-0001</a>: patient was changed after the import" in page
    assert "contact of 2019-05-01 was entered after the import" in page
    assert answer.status_code == 409
    assert Patient.objects.current().count() == 3


def test_a_cohort_file_comes_again_after_it_was_undone(station, client, tables: Tables):
    job = imported(client, station, zipped(tables))
    client.post(f"/imports/{job.pk}/undo/", {"reason": "Too early"})

    again = imported(client, station, zipped(tables))

    assert Patient.objects.current().count() == 2
    assert PatientIdentity.objects.current().get().mrn == "0042"
    client.post(f"/imports/{again.pk}/undo/", {"reason": "Again too early"})
    assert not Patient.objects.current().exists()
    assert not Cycle.objects.current().exists()


# Who may


def test_a_file_is_imported_for_who_asked_and_only_while_they_may(station, client, data_manager):
    send(client, station, messy())
    job = Import.objects.get()
    map_and_check(client, job)
    client.post(f"/imports/{job.pk}/start/")
    data_manager.memberships.all().delete()

    call_command("run_imports")

    job.refresh_from_db()
    assert job.state == ImportState.REFUSED
    assert "With your roles here you may not" in job.problems[0]["expected"]
    assert not Patient.objects.exists()


def test_files_of_another_centre_are_not_there(station, other_centre, client, user_with):
    job = importing.receive(messy(), centre=other_centre, by=user_with(Role.DATA_MANAGER, other_centre))

    for address in ("", "columns/", "download/", "undo/"):
        assert client.get(f"/imports/{job.pk}/{address}").status_code == 404
    assert send(client, other_centre, messy()).status_code == 422


def test_a_file_that_was_not_imported_is_thrown_away(station, client):
    send(client, station, messy())
    job = Import.objects.get()

    client.post(f"/imports/{job.pk}/discard/")

    assert not Import.objects.exists()


def test_an_imported_file_cannot_be_thrown_away_or_mapped_anew(station, client, data_manager):
    job = imported(client, station, messy())

    client.post(f"/imports/{job.pk}/discard/")
    client.post(f"/imports/{job.pk}/check/", {"reason": ""})

    job.refresh_from_db()
    assert job.state == ImportState.DONE
    assert client.get(f"/imports/{job.pk}/columns/").status_code == 302


def test_a_given_up_import_says_so(station, client):
    send(client, station, messy())
    job = Import.objects.get()
    map_and_check(client, job)
    client.post(f"/imports/{job.pk}/start/")
    Import.objects.filter(pk=job.pk).update(attempts=importing.MOST_ATTEMPTS)

    call_command("run_imports")

    job.refresh_from_db()
    assert job.state == ImportState.REFUSED
    assert job.problems[0]["expected"].startswith("given up")
    assert not Patient.objects.exists()


def test_a_large_file_is_checked_by_a_worker(station, client, monkeypatch):
    monkeypatch.setattr("exchange.importing.INLINE_BYTES", 10)
    send(client, station, messy(*NEXT))
    job = Import.objects.get()
    map_and_check(client, job)
    page = client.get(f"/imports/{job.pk}/").content.decode()
    assert "The file is being checked" in page
    assert 'hx-trigger="every 1s"' in page
    fragment = client.get(f"/imports/{job.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "<!doctype html>" not in fragment

    call_command("run_imports")

    page = client.get(f"/imports/{job.pk}/").content.decode()
    assert "hx-trigger" not in page
    assert "could be 1959-03-04 or 1959-04-03" in page


def test_a_file_that_nobody_imports_is_removed_after_a_week_and_an_imported_one_stays(station, client):
    done = imported(client, station, messy())
    send(client, station, messy(*NEXT))
    long_ago = timezone.now() - importing.KEPT - timedelta(minutes=1)
    Import.objects.update(created_at=long_ago)

    tasks.sweep_imports()

    assert list(Import.objects.all()) == [done]


@pytest.mark.parametrize(
    ("role", "is_offered"), [(Role.PHYSICIAN, True), (Role.READER, False), (Role.RESEARCHER, False)]
)
def test_the_bar_offers_import_to_who_may(station, user_with, role, is_offered: bool):
    page = signed_in(user_with(role, username="somebody")).get("/").content.decode()

    assert ('href="/imports/"' in page) == is_offered


def test_the_list_of_files_asks_as_much_for_many_as_for_one(station, client, django_assert_max_num_queries):
    for _ in range(3):
        send(client, station, messy())

    with django_assert_max_num_queries(12):
        page = client.get("/imports/").content.decode()
    assert page.count("To be checked") == 3


def test_the_mapping_survives_its_way_into_the_database(station, data_manager):
    job = importing.receive(messy(), centre=station, by=data_manager)
    mapping = importing.proposed(job)
    importing.set_columns(job, mapping, by=data_manager)

    job.refresh_from_db()
    assert SheetMapping.of_json(job.mapping) == mapping


def test_rows_that_repeat_a_patient_give_several_cycles(station, client):
    content = workbook(
        [
            ["MRN", "DOB", "Sex", "Cycle", "Date given", "Activity (MBq)"],
            ["1", date(1950, 1, 1), "f", 1, at(2019, 1, 7, 9), 7400],
            ["1", date(1950, 1, 1), "f", 2, at(2019, 3, 4, 9), 7350],
        ]
    )
    imported(client, station, content)

    assert Patient.objects.count() == 1
    assert Administration.objects.count() == 2
