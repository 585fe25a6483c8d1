"""The job that makes a report as a PDF."""

from django.conf import settings
from django.utils import translation

from accounts.errors import RegistryError
from analytics import job_words, jobs
from analytics.models import Cohort, Job, JobKind


def language_for(job: Job) -> str:
    """Return the language that the job was asked for in; else the one that the person chose; else English."""
    spoken = dict(settings.LANGUAGES)
    for language in (job.parameters.get("language", ""), getattr(job.requested_by, "language", "")):
        if language in spoken:
            return str(language)
    return settings.LANGUAGE_CODE


@jobs.runs(JobKind.REPORT)
def make_report(job: Job, progress: jobs.Progress) -> jobs.File:
    """Make the report of the job's cohort for what who asked for it may see now, in the language of that person.

    What is said of the work itself is stored, in English (``analytics.job_words``).

    Raises:
        RegistryError: ``cohort_hidden``: it may not be seen any more.
    """
    # Imported here: the web process names this job and never runs it.
    from analytics.report import content, pdf

    user = job.requested_by
    cohort = None
    if user is not None and job.cohort_id is not None:
        visible = Cohort.objects.visible_to(user).select_related("definition")
        cohort = visible.filter(pk=job.cohort_id).first()
    if user is None or cohort is None:
        raise RegistryError("cohort_hidden", job_words.COHORT_HIDDEN)
    progress.step(job_words.READING_RESULTS, done=0, total=3)
    language = language_for(job)
    with translation.override(language):
        report = content.report(cohort, user)
    total = len(report.specs) + 2

    def drawing(key: str, drawn: int) -> None:
        step = job_words.DRAWING.get(key, job_words.DRAWING_ANOTHER.format(figure=key))
        progress.step(step, done=1 + drawn, total=total)

    with translation.override(language):
        made = pdf.make(report, drawing=drawing)
    progress.step(job_words.STORING_REPORT, done=total - 1, total=total)
    return jobs.File(report.file_name, "application/pdf", made, report.centres, report.record_centres)
