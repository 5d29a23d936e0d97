#!/usr/bin/env python3
"""Prints where cargo keeps the source of a package from the registry, of which `cargo metadata` tells on stdin.

    cargo metadata --format-version 1 | published.py NAME
"""

import json
import os
import sys

(manifest,) = [
    package["manifest_path"]
    for package in json.load(sys.stdin)["packages"]
    if package["name"] == sys.argv[1] and package["source"]
]
print(os.path.dirname(manifest))
