"""The job that makes a report as a PDF."""

from accounts.errors import RegistryError
from analytics import jobs
from analytics.models import Cohort, Job, JobKind

FIGURES_IN_WORDS = {
    "pfs": "Drawing progression-free survival",
    "os": "Drawing overall survival",
    "best-response": "Drawing best responses",
    "waterfall": "Drawing the waterfall",
    "swimmer": "Drawing the swimmer",
}


@jobs.runs(JobKind.REPORT)
def make_report(job: Job, progress: jobs.Progress) -> jobs.File:
    """Make the report of the job's cohort for what who asked for it may see now.

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
        raise RegistryError("cohort_hidden", "You may not see this cohort any more.")
    progress.step("Reading results", done=0, total=3)
    report = content.report(cohort, user)
    total = len(report.specs) + 2

    def drawing(key: str, drawn: int) -> None:
        progress.step(FIGURES_IN_WORDS.get(key, f"Drawing {key}"), done=1 + drawn, total=total)

    made = pdf.make(report, drawing=drawing)
    progress.step("Storing the report", done=total - 1, total=total)
    return jobs.File(report.file_name, "application/pdf", made, report.centres, report.record_centres)
