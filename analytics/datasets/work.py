"""The job that writes the analysis data sets of a cohort or of a data lock into an archive."""

import io

from accounts.errors import RegistryError
from analytics import jobs, results
from analytics.datasets import export
from analytics.models import Cohort, DataLock, Job, JobKind


@jobs.runs(JobKind.EXPORT)
def make_export(job: Job, progress: jobs.Progress) -> jobs.File:
    """Write what who asked for it may see now, by registry number or de-identified.

    Raises:
        RegistryError: ``cohort_hidden``: it may not be seen any more; and those of ``export.write``.
    """
    user = job.requested_by
    source: export.Source | None = None
    if user is not None and "lock" in job.parameters:
        frozen = DataLock.objects.visible_to(user).filter(name=job.parameters["lock"]).first()
        source = export.locked(frozen) if frozen else None
    elif user is not None and job.cohort_id is not None:
        visible = Cohort.objects.visible_to(user).select_related("definition")
        cohort = visible.filter(pk=job.cohort_id).first()
        source = export.live(cohort, results.centre_codes(cohort, user)) if cohort else None
    if source is None:
        raise RegistryError("cohort_hidden", "You may not see this cohort any more.")
    level = export.level_for(user, source)
    out = io.BytesIO()

    def tell(done: int, total: int, step: str) -> None:
        progress.step(step, done=done, total=total)

    formats = [name for name in export.FORMATS if name in job.parameters.get("formats", export.FORMATS)]
    export.write(out, source, level=level, by=user, formats=formats, progress=tell)
    centres = source.centre_codes
    return jobs.File(
        export.file_name(source, level),
        "application/zip",
        out.getvalue(),
        centres,
        centres if level is export.Level.REGISTRY else (),
    )
