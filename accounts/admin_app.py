"""Make the correction desk the admin site."""

from django.contrib.admin.apps import AdminConfig


class CorrectionDeskConfig(AdminConfig):
    default = False  # named in INSTALLED_APPS; not to be taken for the configuration of this app
    default_site = "accounts.desk.site.CorrectionDesk"
