#!/usr/bin/env python3
"""Counts the lines of code of each platform's reading path, and compares them with the tables that print them.

    reading-path.py          prints each row of `README.md` and `src/lib.rs` whose count is wrong
    reading-path.py --write  corrects the counts

A line of code is neither blank nor a comment. The declaration of the guide does not count, because the guide is
documentation. Both tables have the rows of PATHS, with the count in the last column.
"""
import re
import sys
from pathlib import Path

CORE = "lib event interest wait wakers wakers_and_timers shared poll source association io_source waker sync"
PATHS = {
    "core and epoll": f"{CORE} epoll/mod epoll/ffi epoll/event epoll/selector epoll/notifier",
    "core and kqueue": f"{CORE} kqueue/mod kqueue/ffi kqueue/event kqueue/selector kqueue/knote_pairs kqueue/notifier",
    "Windows for sockets": f"{CORE} iocp/mod iocp/ffi iocp/event iocp/port iocp/winsock iocp/afd iocp/poll_group iocp/sock"
    " iocp/selector_state iocp/source iocp/selector iocp/notifier",
    "Windows pipes, source sockets and handles": "iocp/pipe iocp/pipe_source iocp/source_sockets iocp/waitable"
    " iocp/wait_source iocp/source_handles",
}
TABLES = ["README.md", "src/lib.rs"]


def lines_of_code(name):
    text = Path("src", name + ".rs").read_text()
    lines = map(str.strip, text.splitlines())
    return sum(1 for line in lines if line and not line.startswith("//") and line != "pub mod guide;")


def main():
    counts = {row: f"{sum(map(lines_of_code, names.split())):,}" for row, names in PATHS.items()}
    for table in TABLES:
        file = Path(table)
        text = file.read_text()
        for row, count in counts.items():
            found = re.findall(rf"^((?://! )?\| {row} \|.*\| )([\d,]+) \|$", text, re.M)
            if len(found) != 1:
                print(f"{table}: {len(found)} rows for {row}, but there must be one")
            elif found[0][1] != count and "--write" in sys.argv:
                text = text.replace(f"{found[0][0]}{found[0][1]} |", f"{found[0][0]}{count} |")
                file.write_text(text)
            elif found[0][1] != count:
                print(f"{table}: {row}: printed {found[0][1]} lines of code, counted {count}")


main()
