#!/usr/bin/env python3
"""Prints what the same work costs with polling and with compat/polling: user-space instructions (callgrind) and system calls (strace).

    verification/setup/debian.sh valgrind strace
    cd compat/polling/comparison && cargo build --release && ./cost.py PROGRAM

PROGRAM is the built `polling-comparison`. A cost is the difference between a long and a short run, divided by the difference of their
lengths, so that start and end do not count.
"""

import re
import subprocess
import sys

WORK = [
    "a wait without events",
    "a wait with a timeout of 100 µs",
    "a notification, then a wait",
    "a round trip, oneshot",
    "a round trip, level",
    "a round trip, edge",
    "64 messages, edge",
    "add, modify, delete",
]
SHORT, LONG = 100, 600


def instructions(command):
    out = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command], capture_output=True, text=True, check=True
    )
    return int(re.search(r"Collected : (\d+)", out.stderr).group(1))


def system_calls(command):
    out = subprocess.run(["strace", "-f", *command], capture_output=True, text=True, check=True)
    return len(out.stderr.splitlines())


def main():
    program = sys.argv[1]
    print("| | instructions: polling | minimio | system calls: polling | minimio |\n|---|---:|---:|---:|---:|")
    for work in WORK:
        cells = []
        for count in instructions, system_calls:
            for library in "polling", "minimio":
                short, long = (count([program, library, work, str(length)]) for length in (SHORT, LONG))
                cells.append(f"{(long - short) / (LONG - SHORT):.0f}")
        print(f"| {work} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
