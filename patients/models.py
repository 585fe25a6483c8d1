"""Patients and what is true of them before and beyond a course.

Identity, diagnosis, performance status, prior therapies, contacts, disease events, death.
"""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Upper
from django.utils.translation import gettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.models import Centre, User
from accounts.records import (
    ClinicalQuerySet,
    ClinicalRecord,
    clinical_record,
    known_codes,
    not_in_future,
    plausible_days,
)
from languages.wording import day

REGISTRY_NUMBER = r"^[A-Z]{2,8}-[0-9]{4,}$"


class Sex(models.TextChoices):
    FEMALE = "female", _("Female")
    MALE = "male", _("Male")
    OTHER = "other", pgettext_lazy("sex", "Other")
    UNKNOWN = "unknown", pgettext_lazy("sex", "Unknown")


class TumourType(models.TextChoices):
    NET = "net", _("Neuroendocrine tumour")
    PARAGANGLIOMA = "paraganglioma", _("Paraganglioma")
    PHAEOCHROMOCYTOMA = "phaeochromocytoma", _("Phaeochromocytoma")
    OTHER_SSTR_POSITIVE = "other_sstr_positive", _("Other SSTR-positive tumour")


class PrimarySite(models.TextChoices):
    PANCREAS = "pancreas", _("Pancreas")
    SMALL_INTESTINE = "small_intestine", _("Small intestine")
    CAECUM = "caecum", _("Caecum")
    APPENDIX = "appendix", _("Appendix")
    STOMACH = "stomach", _("Stomach")
    COLON_RECTUM = "colon_rectum", _("Colon or rectum")
    LUNG = "lung", _("Lung")
    ADRENAL = "adrenal", _("Adrenal")
    PARAGANGLIA = "paraganglia", _("Paraganglia")
    OTHER = "other", _("Other")
    UNKNOWN = "unknown", _("Unknown primary")


class WhoGrade(models.TextChoices):
    G1 = "g1", _("G1")
    G2 = "g2", _("G2")
    G3 = "g3", _("G3")
    UNKNOWN = "unknown", _("Not known")


class FunctionalSyndrome(models.TextChoices):
    NONE = "none", _("Non-functioning")
    CARCINOID = "carcinoid", _("Carcinoid syndrome")
    INSULINOMA = "insulinoma", _("Insulinoma")
    GASTRINOMA = "gastrinoma", _("Gastrinoma")
    GLUCAGONOMA = "glucagonoma", _("Glucagonoma")
    VIPOMA = "vipoma", _("VIPoma")
    CATECHOLAMINE = "catecholamine", _("Catecholamine excess")
    OTHER = "other", _("Other")
    UNKNOWN = "unknown", _("Not known")


class MetastaticSite(models.TextChoices):
    LIVER = "liver", _("Liver")
    LYMPH_NODE = "lymph_node", _("Lymph node")
    BONE = "bone", _("Bone")
    PERITONEUM = "peritoneum", _("Peritoneum")
    LUNG = "lung", _("Lung")
    BRAIN = "brain", _("Brain")
    OTHER = "other", _("Other")


class Ecog(models.IntegerChoices):
    """ECOG performance status (Oken 1982, Am J Clin Oncol 5:649), in words of our own."""

    FULLY_ACTIVE = 0, _("0: fully active")
    RESTRICTED = 1, _("1: no strenuous work; walks and does light work")
    SELF_CARING = 2, _("2: looks after self, cannot work; up more than half of the day")
    LIMITED = 3, _("3: limited self-care; in bed or chair more than half of the day")
    DISABLED = 4, _("4: no self-care; always in bed or chair")
    DEAD = 5, _("5: dead")


class PriorTherapyKind(models.TextChoices):
    SOMATOSTATIN_ANALOGUE = "somatostatin_analogue", _("Somatostatin analogue")
    EVEROLIMUS = "everolimus", _("Everolimus")
    SUNITINIB = "sunitinib", _("Sunitinib")
    CHEMOTHERAPY = "chemotherapy", _("Chemotherapy")
    LIVER_DIRECTED = "liver_directed", _("Liver-directed (embolisation, SIRT, ablation)")
    SURGERY = "surgery", _("Surgery")
    EXTERNAL_RADIOTHERAPY = "external_radiotherapy", _("External radiotherapy")
    MIBG = "mibg", _("131I-MIBG")
    INTERFERON = "interferon", _("Interferon")
    OTHER = "other", _("Other")


class ContactSource(models.TextChoices):
    VISIT = "visit", _("Clinic visit")
    TELEPHONE = "telephone", _("Telephone")
    LETTER = "letter", _("Letter from another physician")
    REGISTRY = "registry", _("Population register")
    OTHER = "other", _("Other")


class DiseaseEventKind(models.TextChoices):
    CLINICAL_PROGRESSION = "clinical_progression", _("Clinical progression")
    NEW_THERAPY = "new_therapy", _("Start of another anticancer therapy")


class DeathCause(models.TextChoices):
    DISEASE = "disease", _("The tumour")
    TREATMENT = "treatment", _("The treatment")
    COMORBIDITY = "comorbidity", _("Co-morbidity")
    OTHER = "other", _("Other")
    UNKNOWN = "unknown", _("Not known")


# As in the index patients_identity_names: both names without accents and capitals.
_TRUTH = models.BooleanField()
_NAMES = Func(
    F("family_name"),
    F("given_names"),
    template="patients_plain(%(expressions)s)",
    arg_joiner=" || ' ' || ",
    output_field=models.TextField(),
)
LEAST_LETTERS_TO_RESEMBLE = 4


def names_contain(word: str) -> Q:
    """Return the identities of whose names this is a part, with or without accents and capitals."""
    part = word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    plain = Func(Value(f"%{part}%"), function="patients_plain", output_field=models.TextField())
    return Q(Func(_NAMES, plain, template="%(expressions)s", arg_joiner=" LIKE ", output_field=_TRUTH))


def names_resemble(word: str) -> Q:
    """Return the identities with a name that contains this or, of 4 letters and more, resembles it.

    Six of ten of its trigrams must be found in one word of the names (PostgreSQL's ``pg_trgm``, its default).
    """
    if len(word) < LEAST_LETTERS_TO_RESEMBLE:
        return names_contain(word)
    plain = Func(Value(word), function="patients_plain", output_field=models.TextField())
    like = Q(Func(plain, _NAMES, template="%(expressions)s", arg_joiner=" <%% ", output_field=_TRUTH))
    return names_contain(word) | like


class PatientQuerySet(ClinicalQuerySet):
    def search(self, words: str, user: User) -> "PatientQuerySet":
        """Return patients by registry number and, at centres where ``user`` may see identity, by name or MRN.

        Case, accents and a slip of the pen in a name are forgiven; every word must be found.
        """
        found = self
        identified = PatientIdentity.objects.current().filter(centre__in=user.centre_ids(Act.VIEW_IDENTITY))
        for word in words.split():
            # One search each, joined: no index serves an "or" across two tables.
            numbered = Patient.objects.filter(registry_number__icontains=word).values("pk")
            named = identified.filter(Q(mrn__iexact=word) | names_resemble(word)).values("patient_id")
            found = found.filter(pk__in=numbered.union(named))
        return found


@clinical_record
class Patient(ClinicalRecord):
    """A person under a registry number. Who that is stands in ``PatientIdentity`` alone."""

    CENTRE_PATH = "centre_id"
    PATIENT_PATH = "self"
    VOIDED_WITH = ("identity",)

    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="patients")
    registry_number = models.CharField(
        max_length=20,
        unique=True,
        validators=[RegexValidator(REGISTRY_NUMBER, _("A centre code and a number, such as STA-0001."))],
    )
    sex = models.CharField(max_length=10, choices=Sex)
    birth_date = models.DateField(validators=[not_in_future])

    objects = PatientQuerySet.as_manager()  # type: ignore[misc]

    class Meta(ClinicalRecord.Meta):
        ordering = ["registry_number"]
        triggers = [pgtrigger.ReadOnly(name="centre_stays", fields=["centre"])]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.CheckConstraint(
                condition=Q(sex__in=Sex.values),
                name="patients_patient_sex_known",
                violation_error_message=_("Sex must be female, male, other or unknown."),
            ),
            models.CheckConstraint(
                condition=Q(registry_number__regex=REGISTRY_NUMBER),
                name="patients_patient_registry_number_form",
                violation_error_message=_(
                    "A registry number is a centre code and a number, such as STA-0001."
                ),
            ),
            *plausible_days("birth_date"),
        ]
        indexes = [models.Index(fields=["centre", "registry_number"], name="patients_by_centre")]

    def __str__(self) -> str:
        return self.registry_number


@clinical_record
class PatientIdentity(ClinicalRecord):
    """Who a patient is: a table of its own, which de-identified roles never touch."""

    patient = models.OneToOneField(Patient, on_delete=models.PROTECT, related_name="identity")
    # Kept equal to the patient's by a trigger: MRNs are unique per centre, so that a refusal tells nothing of another's.
    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="+", editable=False)
    mrn = models.CharField(_("MRN"), max_length=40)
    family_name = models.CharField(max_length=100, blank=True)
    given_names = models.CharField(max_length=100, blank=True)

    class Meta(ClinicalRecord.Meta):
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        triggers = [
            pgtrigger.Trigger(
                name="centre_of_patient",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                func="SELECT centre_id INTO NEW.centre_id FROM patients_patient WHERE id = NEW.patient_id; RETURN NEW;",
            )
        ]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["centre", "mrn"],
                condition=Q(voided_at__isnull=True),
                name="patients_patientidentity_mrn_once",
                violation_error_message=_("Another patient of this centre has this MRN."),
            ),
            models.CheckConstraint(
                condition=~Q(mrn=""),
                name="patients_patientidentity_mrn_present",
                violation_error_message=_("An identity needs an MRN."),
            ),
        ]
        indexes = [
            GinIndex(
                OpClass(Upper("family_name"), name="gin_trgm_ops"), name="patients_identity_family_name"
            ),
        ]

    def __str__(self) -> str:
        return gettext("identity of {patient}").format(patient=self.patient)


@clinical_record
class Diagnosis(ClinicalRecord):
    """The tumour that the patient is treated for."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="diagnoses")
    tumour_type = models.CharField(max_length=24, choices=TumourType)
    primary_site = models.CharField(max_length=20, choices=PrimarySite)
    diagnosed_on = models.DateField(null=True, blank=True, validators=[not_in_future])
    who_grade = models.CharField(_("WHO grade"), max_length=8, choices=WhoGrade, default=WhoGrade.UNKNOWN)
    ki67_percent = models.DecimalField(
        _("Ki-67 (%)"),
        max_digits=4,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        db_comment="percent of nuclei",
    )
    functional_syndrome = models.CharField(
        max_length=16, choices=FunctionalSyndrome, default=FunctionalSyndrome.UNKNOWN
    )
    stage = models.CharField(max_length=20, blank=True)
    metastatic_sites = ArrayField(
        models.CharField(max_length=16, choices=MetastaticSite), default=list, blank=True
    )

    class Meta(ClinicalRecord.Meta):
        verbose_name_plural = _("diagnoses")
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["patient"],
                condition=Q(voided_at__isnull=True),
                name="patients_diagnosis_one_per_patient",
                violation_error_message=_("This patient already has a diagnosis: correct that one."),
            ),
            *known_codes(
                tumour_type=TumourType.values,
                primary_site=PrimarySite.values,
                who_grade=WhoGrade.values,
                functional_syndrome=FunctionalSyndrome.values,
            ),
            models.CheckConstraint(
                condition=Q(metastatic_sites__contained_by=MetastaticSite.values),
                name="patients_diagnosis_metastatic_sites_known",
                violation_error_message=_("A metastatic site is not one of the list."),
            ),
            *plausible_days("diagnosed_on"),
            models.CheckConstraint(
                condition=Q(ki67_percent__isnull=True) | Q(ki67_percent__gte=0, ki67_percent__lte=100),
                name="patients_diagnosis_ki67_is_percent",
                violation_error_message=_("Ki-67 must lie between 0 and 100 percent."),
            ),
        ]

    def __str__(self) -> str:
        site = str(self.get_primary_site_display())
        if pgettext("nouns within a sentence", "small") == "small":
            site = site.lower()  # German nouns keep their capital
        return f"{self.get_tumour_type_display()}, {site}"


@clinical_record
class PerformanceStatus(ClinicalRecord):
    """How far the illness limits the patient's daily life, as found on one day."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="performance_statuses")
    ecog = models.PositiveSmallIntegerField(
        _("ECOG"), choices=Ecog, db_comment="ECOG performance status, 0 to 5"
    )
    assessed_on = models.DateField(validators=[not_in_future])
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        verbose_name = _("performance status")
        verbose_name_plural = _("performance statuses")
        ordering = ["assessed_on"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["patient", "assessed_on"],
                condition=Q(voided_at__isnull=True),
                name="patients_performancestatus_once_a_day",
                violation_error_message=_(
                    "The performance status of this day is already there: correct that record."
                ),
            ),
            models.CheckConstraint(
                condition=Q(ecog__gte=0, ecog__lte=5),
                name="patients_performancestatus_ecog_known",
                violation_error_message=_("An ECOG performance status is a whole number from 0 to 5."),
            ),
            *plausible_days("assessed_on"),
        ]

    def __str__(self) -> str:
        return gettext("ECOG {ecog} on {day}").format(ecog=self.ecog, day=day(self.assessed_on))


@clinical_record
class PriorTherapy(ClinicalRecord):
    """A treatment of the tumour begun before PRRT. Earlier PRRT itself is ``treatments.PriorPrrt``."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="prior_therapies")
    kind = models.CharField(
        max_length=24,
        choices=PriorTherapyKind,
        help_text=_(
            "Earlier PRRT is not entered here: it has a record of its own, with its activity and doses."
        ),
    )
    agent = models.CharField(
        max_length=100, blank=True, help_text=_("Drug, regimen or procedure, such as lanreotide.")
    )
    started_on = models.DateField(
        null=True, blank=True, validators=[not_in_future], help_text=_("Blank where it is not known.")
    )
    ended_on = models.DateField(
        null=True,
        blank=True,
        validators=[not_in_future],
        help_text=_("Blank where it goes on, or is not known."),
    )
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        verbose_name = _("prior therapy")
        verbose_name_plural = _("prior therapies")
        ordering = [F("started_on").asc(nulls_first=True), "kind"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["patient", "kind", "agent", "started_on"],
                condition=Q(voided_at__isnull=True),
                nulls_distinct=False,
                name="patients_priortherapy_once",
                violation_error_message=_("This prior therapy is already there: correct that record."),
            ),
            *known_codes(kind=PriorTherapyKind.values),
            models.CheckConstraint(
                condition=Q(started_on__isnull=True)
                | Q(ended_on__isnull=True)
                | Q(ended_on__gte=F("started_on")),
                name="patients_priortherapy_ends_after_start",
                violation_error_message=_("A therapy cannot end before it started."),
            ),
            *plausible_days("started_on", "ended_on"),
        ]

    def __str__(self) -> str:
        return gettext("{therapy} of {patient}").format(therapy=self.get_kind_display(), patient=self.patient)


@clinical_record
class Contact(ClinicalRecord):
    """A date on which the patient is known to have been alive."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="contacts")
    known_alive_on = models.DateField(validators=[not_in_future])
    source = models.CharField(max_length=12, choices=ContactSource, default=ContactSource.VISIT)
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["known_alive_on"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["patient", "known_alive_on", "source"],
                condition=Q(voided_at__isnull=True),
                name="patients_contact_once",
                violation_error_message=_("This contact has already been recorded."),
            ),
            *known_codes(source=ContactSource.values),
            *plausible_days("known_alive_on"),
        ]

    def __str__(self) -> str:
        return gettext("{patient} alive on {day}").format(patient=self.patient, day=day(self.known_alive_on))


@clinical_record
class DiseaseEvent(ClinicalRecord):
    """What ends or bounds freedom from progression outside imaging."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="disease_events")
    kind = models.CharField(max_length=24, choices=DiseaseEventKind)
    occurred_on = models.DateField(validators=[not_in_future])
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["occurred_on"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["patient", "kind", "occurred_on"],
                condition=Q(voided_at__isnull=True),
                name="patients_diseaseevent_once",
                violation_error_message=_("This event has already been recorded."),
            ),
            models.CheckConstraint(
                condition=Q(kind__in=DiseaseEventKind.values),
                name="patients_diseaseevent_kind_known",
                violation_error_message=_(
                    "An event is a clinical progression or the start of another therapy."
                ),
            ),
            *plausible_days("occurred_on"),
        ]

    def __str__(self) -> str:
        return gettext("{event} on {day}").format(event=self.get_kind_display(), day=day(self.occurred_on))


@clinical_record
class Death(ClinicalRecord):
    """That the patient died, when and of what."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="deaths")
    died_on = models.DateField(validators=[not_in_future])
    cause = models.CharField(max_length=12, choices=DeathCause)
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["patient"],
                condition=Q(voided_at__isnull=True),
                name="patients_death_one_per_patient",
                violation_error_message=_(
                    "The death of this patient has already been recorded: correct that record."
                ),
            ),
            models.CheckConstraint(
                condition=Q(cause__in=DeathCause.values),
                name="patients_death_cause_known",
                violation_error_message=_("The cause of death is not one of the list."),
            ),
            *plausible_days("died_on"),
        ]

    def __str__(self) -> str:
        return gettext("{patient} died on {day}").format(patient=self.patient, day=day(self.died_on))
