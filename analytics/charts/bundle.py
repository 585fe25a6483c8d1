"""The JavaScript that draws figures in the browser, made from the package that also draws them on paper."""

import os
import tempfile
from importlib.metadata import version
from pathlib import Path

from analytics.charts.specs import VEGA_LITE_VERSION

BUNDLE_NAME = "vega.js"


def _first_line() -> str:
    return f"/* Vega, Vega-Lite {VEGA_LITE_VERSION} and Vega-Embed, from vl-convert-python {version('vl-convert-python')} */"


def build_vega_bundle(folder: Path) -> bool:
    """Write ``vega.js`` into ``folder`` unless the one there is of this version; it defines ``vegaEmbed`` and no more.

    The file needs nothing else and evaluates no code of its own making when asked to interpret (``ast``), so a
    strict CSP can stay. It is replaced in one step: a reader sees the old or the new one.

    Returns:
        Whether it was written (about 2 s).
    """
    target = folder / BUNDLE_NAME
    try:
        with target.open(encoding="utf-8") as file:
            if file.readline().rstrip("\n") == _first_line():
                return False
    except FileNotFoundError:
        pass
    # Imported here for the same reason as in rendering: it must not be loaded before a server forks.
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE_VERSION)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".vega-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            # The bundle declares one- and two-letter names; outside a function they would become the page's own.
            file.write(f"{_first_line()}\n(() => {{\n{bundle}\n}})();\n")
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True
