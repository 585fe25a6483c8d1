"""The files a browser is served: the drawing library is made, then everything is collected under its final name."""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from analytics.charts.bundle import build_vega_bundle

STAMP_NAME = ".collected"


def build_assets(say: Callable[[str], object] = lambda line: None) -> bool:
    """Make the Vega bundle and collect all static files, each only where something changed.

    Needs no database. Safe to run twice and by several processes at once: the second waits and finds the work done. An
    interrupted run leaves no stamp, so the next one does it again.

    Args:
        say: is given one line for each thing that was done.

    Returns:
        Whether anything was done.
    """
    var_dir = Path(settings.VAR_DIR)
    with _one_at_a_time(var_dir / "assets.lock"):
        bundled = build_vega_bundle(var_dir / "static-build" / "vega")
        if bundled:
            say("Made the drawing library (vega/vega.js).")
        stamp = Path(settings.STATIC_ROOT) / STAMP_NAME
        sources = _fingerprint()
        if stamp.exists() and stamp.read_text() == sources:
            return bundled
        # Cleared first: collectstatic keeps a file that is newer than its source, and a package of an older date that
        # is installed later would never be served.
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
        stamp.write_text(sources)
        say(f"Collected the static files in {settings.STATIC_ROOT}.")
        return True


def _fingerprint() -> str:
    """Return a hash of every static file's name, size and time, and of how they are stored."""
    digest = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in sorted(finder.list(["CVS", ".*", "*~"]), key=lambda found: found[0]):
            about = Path(storage.path(name)).stat()
            prefix = getattr(storage, "prefix", None) or ""
            digest.update(f"{prefix}/{name}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released with the file, even when the process is killed
        yield
