"""How static files are served: compressed, under names that change with their content."""

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage


class RegistryStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage, forgiving the source maps that packages name but do not ship."""

    manifest_strict = False
    support_js_module_import_aggregation = False

    def create_compressor(self, **options: Any) -> Compressor:
        # Brotli at its best setting needs more than a minute for what the packages bring, gzip a second, and on a
        # hospital's own network the difference in size is nothing. Source maps are for developers only.
        options["extensions"] = (*(options.get("extensions") or Compressor.SKIP_COMPRESS_EXTENSIONS), "map")
        return Compressor(**options, use_brotli=False)
