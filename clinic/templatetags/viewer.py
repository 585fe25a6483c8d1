"""Where a study's pictures are looked at: a viewer of the hospital, opened by the study's UID."""

from urllib.parse import quote

from django import template
from django.conf import settings

from imaging.models import Study

register = template.Library()


@register.simple_tag
def viewer_url(study: Study) -> str:
    """Return the address of the study in the viewer; blank where there is no viewer, or no UID to open it by."""
    if not settings.DICOM_VIEWER_URL or not study.study_instance_uid:
        return ""
    uid = quote(study.study_instance_uid, safe="")
    return str(settings.DICOM_VIEWER_URL.replace("{study_instance_uid}", uid))
