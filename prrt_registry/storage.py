"""How static files are served: compressed, under names that change with their content."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class RegistryStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage, forgiving the source maps that packages name but do not ship."""

    manifest_strict = False
    support_js_module_import_aggregation = False
