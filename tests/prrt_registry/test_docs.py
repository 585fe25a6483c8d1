"""The product's own documents say what the code says, and every link of theirs leads somewhere."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from accounts.access import ROLE_ACTS, Act, Role
from analytics import results
from analytics.models import Cohort
from patients.models import Patient

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
OURS = ("accounts", "patients", "treatments", "imaging", "analytics", "exchange", "clinic")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return the anchors that a forge makes of the page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_resolves(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and found.suffix == ".md" and anchor not in anchors(found)):
            broken.append(target)

    assert broken == []


def test_every_page_is_reached_from_the_index():
    reached, to_read = set(), [DOCS / "index.md"]
    while to_read:
        page = to_read.pop()
        if page in reached or not page.exists():
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#:]+\.md)", page.read_text())
        to_read += [(page.parent / link).resolve() for link in links]

    assert sorted(set(DOCS.rglob("*.md")) - reached) == []


def test_documents_that_the_code_names_exist():
    named = set()
    for file in tracked_texts():
        if file.suffix in {".py", ".html", ".in", ".yml"}:
            named |= set(re.findall(r"\bdocs/[\w/-]+\.md", file.read_text()))

    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def tracked_texts() -> Iterator[Path]:
    """Yield the project's own text files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:  # an archive without its repository
        left_out = {".venv", "var", ".git", "__pycache__"}
        files = [path for path in ROOT.rglob("*") if not left_out & set(path.relative_to(ROOT).parts)]
    for file in files:
        if file.is_file() and file.suffix not in {".png", ".xlsx", ".zip", ".ico", ".woff2"}:
            yield file


def test_no_file_names_the_machine_it_was_written_on_or_where_packages_were_fetched():
    # Put together here, so that this file does not name them either.
    forbidden = re.compile(
        "|".join(
            [
                r"(?<![\w.])/" + r"work/",
                r"\.\./" + "shared",
                "DESIGN" + r"\.md",
                "STACK" + r"\.md",
                r"files\.python" + "hosted",
                r"pypi\." + r"(org|python)",
                r"--(extra-)?index" + "-url=",
                "registry-1" + r"\.docker",
            ]
        )
    )
    found = [
        f"{name_of(file)}: {match[0]}"
        for file in tracked_texts()
        for match in forbidden.finditer(file.read_text(errors="replace"))
    ]

    assert found == []


# Records


def recorded_models() -> list[type[models.Model]]:
    """Return the registry's own models, without the event tables of the history."""
    return [
        model
        for app in OURS
        for model in apps.get_app_config(app).get_models()
        if not hasattr(model, "pgh_tracked_model")
    ]


def section(page: Path, heading: str) -> str:
    found = re.search(
        rf"^(#+) {re.escape(heading)}$(.*?)(?=^#{{1,3}} |\Z)", page.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found, f"{name_of(page)} has no section {heading!r}"
    return found[2]


def test_the_history_is_left_out_and_the_records_are_not():
    assert Patient in recorded_models()
    assert not any(
        model.__name__.endswith("Event")
        for model in recorded_models()
        if model.__name__ not in {"DiseaseEvent", "AdverseEvent"}
    )


def test_every_field_of_every_record_is_documented_with_its_choices():
    page = DOCS / "records.md"
    common = section(page, "What every clinical record has")
    missing = []
    for model in recorded_models():
        text = section(page, model.__name__)
        rows = dict(re.findall(r"^\| `(\w+)` (\|.*)$", text, re.MULTILINE))
        if hasattr(model, "voided_at"):
            rows |= dict(re.findall(r"^\| `(\w+)` (\|.*)$", common, re.MULTILINE))
        fields = {field.name: field for field in model._meta.concrete_fields}
        missing += [f"{model.__name__}.{name}" for name in fields.keys() ^ rows.keys()]
        for name, field in fields.items():
            choices = getattr(field, "base_field", field).flatchoices
            missing += [
                f"{model.__name__}.{name}: {value}"
                for value, _ in choices
                if f"`{value}`" not in rows.get(name, "")
            ]

    assert missing == []


def test_every_constraint_is_documented_with_the_words_it_refuses_in():
    text = (DOCS / "records.md").read_text()
    missing = []
    for model in recorded_models():
        for constraint in model._meta.constraints:
            if constraint.name.endswith("_void_has_reason"):
                continue
            said = str(constraint.violation_error_message).replace("%%", "%")
            line = f"- `{constraint.name}`: "
            if line not in text or (
                said != str(constraint.default_violation_error_message) and line + said not in text
            ):
                missing.append(constraint.name)

    assert missing == []


def test_every_check_between_records_is_documented():
    text = (DOCS / "records.md").read_text()
    named = set()
    for migration in ROOT.glob("*/migrations/*.py"):
        named |= set(re.findall(r"CONSTRAINT = '(\w+)'", migration.read_text()))

    assert len(named) > 10
    assert sorted(name for name in named if f"`{name}`" not in text) == []


# Access


def test_the_table_of_roles_and_acts_is_the_one_in_force():
    lines = (DOCS / "access.md").read_text().splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("| act | coordinator"))
    roles = [cell.strip() for cell in lines[head].strip("|").split("|")][1:]
    documented: dict[str, set[str]] = {role: set() for role in roles}
    acts = []
    for line in lines[head + 2 :]:
        if not line.startswith("| `"):
            break
        act, *cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        acts.append(act)
        assert set(cells) <= {"yes", "–"}
        for role, cell in zip(roles, cells, strict=True):
            if cell == "yes":
                documented[role].add(act)

    assert acts == [act.value for act in Act]
    assert roles == list(Role.values)
    assert documented == {role: {act.value for act in ROLE_ACTS[role]} for role in Role.values}


# Results


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for part in value.values() for key in keys_of(part)}
    if isinstance(value, list):
        return {key for part in value for key in keys_of(part)}
    return set()


@pytest.mark.django_db
def test_every_key_of_a_result_is_documented(centre):
    text = (DOCS / "results.md").read_text()

    keys = keys_of(results.payload(Cohort.objects.get(slug="all"), None))

    assert {"pfs", "fixed_horizon", "not_in_denominator", "pending"} <= keys
    # Numbers are months, cycles and grades.
    assert sorted(key for key in keys if not key.isdecimal() and f"`{key}`" not in text) == []


# Dependencies


@pytest.mark.parametrize("name", ["requirements.in", "requirements-dev.in"])
def test_every_dependency_is_there_for_a_reason(name):
    lines = [line.strip() for line in (ROOT / name).read_text().splitlines()]
    packages = {re.split(r"[\[<>=;]", line)[0] for line in lines if line and line[0] not in "#-"}
    heading = "Of development" if "dev" in name else "Of the running registry"

    explained = set(
        re.findall(r"^\| `([\w.-]+)` \| \S", section(DOCS / "dependencies.md", heading), re.MULTILINE)
    )

    assert explained == packages
