"""Figures on paper: SVG, PNG and PDF of a specification, drawn by the Vega that also draws in the browser."""

from typing import Literal

from analytics.charts.specs import VEGA_LITE_VERSION, Spec

Format = Literal["svg", "png", "pdf"]

CONTENT_TYPES: dict[Format, str] = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf"}


def render(spec: Spec, format: Format, scale: float = 2) -> bytes:
    """Return ``spec`` drawn as a file of ``format``. Equal specifications give equal SVG.

    The first call in a process takes most of a second, later ones a tenth to a third.

    Args:
        format: ``svg`` (UTF-8), ``png`` or ``pdf`` (vector, fonts embedded).
        scale: pixels of a PNG per pixel of the specification; 2 is 144 dpi, 4 is enough for print. SVG and PDF have no
            pixels and keep the size of the specification.

    Raises:
        ValueError: the format is another, the scale is not in (0, 10], or Vega refuses the specification.
    """
    # Imported here: its engine has threads and does not survive a fork, so a server must not load it before it forks.
    import vl_convert

    if not 0 < scale <= 10:
        raise ValueError(f"The scale must be above 0 and at most 10, not {scale}.")
    if format == "svg":
        svg: str = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE_VERSION, allowed_base_urls=[])
        return svg.encode()
    if format == "png":
        return bytes(
            vl_convert.vegalite_to_png(
                spec, vl_version=VEGA_LITE_VERSION, scale=scale, ppi=72, allowed_base_urls=[]
            )
        )
    if format == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(spec, vl_version=VEGA_LITE_VERSION, allowed_base_urls=[]))
    raise ValueError(f"The format must be svg, png or pdf, not {format!r}.")
