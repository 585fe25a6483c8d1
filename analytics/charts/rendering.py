"""Figures on paper: SVG, PNG and PDF of a specification, drawn by the Vega that also draws in the browser."""

import re
from typing import Literal

from analytics.charts.specs import VEGA_LITE_VERSION, Spec

Format = Literal["svg", "png", "pdf"]

CONTENT_TYPES: dict[Format, str] = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf"}


def render(spec: Spec, format: Format, scale: float = 2, *, title: str | None = None) -> bytes:
    """Return ``spec`` drawn as a file of ``format``. Equal specifications give equal SVG.

    The first call in a process takes most of a second, later ones a tenth to a third.

    Args:
        format: ``svg`` (UTF-8), ``png`` or ``pdf`` (vector, fonts embedded).
        scale: pixels of a PNG per pixel of the specification; 2 is 144 dpi, 4 (288 dpi) is enough for print, and the
            file says its dpi. SVG and PDF have no pixels and keep the size of the specification.
        title: a PDF's title in its properties; the other formats have none.

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
                spec, vl_version=VEGA_LITE_VERSION, ppi=72 * scale, allowed_base_urls=[]
            )
        )
    if format == "pdf":
        pdf = bytes(vl_convert.vegalite_to_pdf(spec, vl_version=VEGA_LITE_VERSION, allowed_base_urls=[]))
        return pdf if title is None else _titled(pdf, title)
    raise ValueError(f"The format must be svg, png or pdf, not {format!r}.")


_TRAILER = re.compile(rb"/Size (\d+)\s+/Root (\d+ \d+ R).*?startxref\s+(\d+)\s+%%EOF\s*\Z", re.DOTALL)


def _titled(pdf: bytes, title: str) -> bytes:
    """Return ``pdf`` with a title in its properties, added as an update at its end (PDF 1.7, 7.5.6).

    The drawing engine takes no title. A file whose end is not as it writes it is returned as it is.
    """
    found = _TRAILER.search(pdf)
    if found is None:
        return pdf
    size, root, previous = int(found[1]), found[2], found[3]
    # Text beyond ASCII is UTF-16 behind a byte order mark, here in hexadecimal: nothing in it needs escaping.
    text = (b"\xfe\xff" + title.encode("utf-16-be")).hex().encode()
    body = b"" if pdf.endswith(b"\n") else b"\n"
    start = len(pdf) + len(body)
    body += b"%d 0 obj\n<< /Title <%s> /Producer (vl-convert) >>\nendobj\n" % (size, text)
    xref = len(pdf) + len(body)
    body += b"xref\n%d 1\n%010d 00000 n\r\n" % (size, start)
    body += b"trailer\n<< /Size %d /Root %s /Info %d 0 R /Prev %s >>\n" % (size + 1, root, size, previous)
    return pdf + body + b"startxref\n%d\n%%%%EOF\n" % xref
