"""A process that does chunks of the rebuild that waits, and prints the peak of its memory, MiB: for bench.analytics."""

import re
import sys
from pathlib import Path

import django


def main() -> None:
    django.setup()
    from django.db import connection

    from analytics import rebuild

    connection.ensure_connection()
    print("ready", flush=True)
    sys.stdin.readline()
    while rebuild.do_chunk():
        pass
    # This program's own; getrusage's is at least that of the process it was started from.
    (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(int(kib) / 1024)


if __name__ == "__main__":
    main()
