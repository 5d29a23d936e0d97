#!/usr/bin/env python3
"""Prints each use of a word that hides the actor or the mechanism of a sentence, unless `allowed-words.txt` allows it.

The words are those that a reader has to guess at: who is "somebody", and what does "tell" do? Name the actor (the caller, the
polling thread, the kernel) and use the field's verb (report, return, notify). Reads the files named on standard input.
"""
import re
import sys
from pathlib import Path

WORDS = r"nobody|somebody|whoever|everybody|anybody|himself|tells?|told|kick(?:s|ed|ing)?|anew|by(?:\s|#|//[/!]?)+itself"
ALLOWED = Path("verification/rules/allowed-words.txt")


def main():
    allowed = []
    for line in ALLOWED.read_text().splitlines():
        if line and not line.startswith("#"):
            file, _, text = line.partition(" | ")
            allowed.append([file, text, False])
    for file in map(str.strip, sys.stdin):
        if file in (str(ALLOWED), "verification/rules/words.py"):
            continue
        text = Path(file).read_text(errors="replace")
        for match in re.finditer(rf"(?<![A-Za-z0-9])(?:{WORDS})(?![A-Za-z0-9])", text, re.I):
            number = text.count("\n", 0, match.start()) + 1
            line = text.splitlines()[number - 1]
            exempt = [entry for entry in allowed if entry[0] == file and entry[1] in line]
            for entry in exempt:
                entry[2] = True
            if not exempt:
                print(f"{file}:{number}: {match.group()}: {line.strip()}")
    for file, text, used in allowed:
        if not used:
            print(f"{ALLOWED}: no such use: {file} | {text}")


main()
