#!/usr/bin/env python3
"""Compares the public API of compat/polling with polling's, by rustdoc's JSON descriptions of both.

    compare.py SYSTEM polling.json compat.json

Prints how many items are equal, and each item that only one of the two has: an item of polling that is missing is an error, and so is
an item beyond polling, except an auto trait. An item is a path with its kind; a field, a variant or a method with its type; an
implementation of a trait, auto traits and derived ones included. Default bodies and the names of arguments are left out.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "mio" / "api"))
import surface  # noqa: E402

# Types may have more of these than in polling. No program depends on the absence of an auto trait.
AUTO_TRAITS = {"Send", "Sync", "Unpin", "UnwindSafe", "RefUnwindSafe"}
# The supertraits that keep other crates from implementing a trait: polling's, and one here. Their names are not a part of the API.
SEALED = {"PollerSealed", "FilterSealed", "Condition"}


class Docs(surface.Docs):
    def name(self, path):
        """A private item keeps the name with which it is written."""
        summary = self.paths.get(str(path["id"]))
        if path["id"] not in self.public and (summary is None or summary["crate_id"] == 0):
            return path["path"]
        return super().name(path)

    def signature(self, item, this):
        inner = item["inner"]["function"]
        signature, header = inner["sig"], inner["header"]
        words = [word for word in ("const", "unsafe") if header[f"is_{word}"]]
        declared, _, _, where = self.generics(inner["generics"], this)
        inputs = ", ".join(self.type(type, this) for _, type in signature["inputs"])
        return " ".join(words + [f"fn{declared}({inputs}){self.output(signature['output'], this)}{where}"])

    def members(self, items, name):
        for member in map(self.item, items):
            if "function" in member["inner"]:
                yield f"{name}::{member['name']}: {self.signature(member, name)}"

    def items(self):
        for id, path in self.public.items():
            item, name = self.item(id), path[-1]
            kind, inner = next(iter(item["inner"].items()))
            yield f"{'::'.join(path)}: {kind}{' non_exhaustive' if 'non_exhaustive' in item['attrs'] else ''}"
            if item["deprecation"]:
                yield f"{name}: deprecated since {item['deprecation']['since']}"
            if kind == "struct":
                fields = inner["kind"].get("plain", {}).get("fields") if "plain" in inner["kind"] else None
                fields = fields or (inner["kind"].get("tuple") if "tuple" in inner["kind"] else None) or []
                for field in (self.item(field) for field in fields if field is not None and str(field) in self.index):
                    if field["visibility"] == "public":
                        yield f"{name}.{field['name']}: {self.type(field['inner']['struct_field'], name)}"
            if kind == "enum":
                yield from (f"{name}::{self.item(variant)['name']}" for variant in inner["variants"])
            if kind == "trait":
                bounds = [bound for bound in inner["bounds"] if bound["trait_bound"]["trait"]["path"].split("::")[-1] not in SEALED]
                yield f"{name}: {self.bounds(bounds, name)}"
                yield from self.members(inner["items"], name)
            for implementation in map(self.item, inner.get("impls", []) if kind in ("struct", "enum") else []):
                if implementation["inner"]["impl"]["trait"] is None:
                    for member in map(self.item, implementation["inner"]["impl"]["items"]):
                        if member["deprecation"]:
                            yield f"{name}::{member['name']}: deprecated since {member['deprecation']['since']}"
                    yield from self.members(implementation["inner"]["impl"]["items"], name)
        for item in self.index.values():
            inner = item["inner"].get("impl")
            if inner and inner["trait"] and not inner["is_negative"] and not inner["blanket_impl"] and self.owner(inner):
                trait = self.path(inner["trait"], "Self")
                if trait.split("::")[-1] not in surface.UNNAMEABLE | SEALED:
                    declared, _, _, where = self.generics(inner["generics"], "Self")
                    yield f"{declared}{self.type(inner['for'], 'Self')}: {trait}{where}".replace("fmt::Debug", "Debug")


def main():
    system, published, own = sys.argv[1], set(Docs(sys.argv[2]).items()), set(Docs(sys.argv[3]).items())
    missing, beyond = sorted(published - own), sorted(own - published)
    beyond = [item for item in beyond if item.split(" ")[-1].split("::")[-1] not in AUTO_TRAITS]
    for item in missing:
        print(f"  missing on {system}: {item}")
    for item in beyond:
        print(f"  only here on {system}: {item}")
    verdict = "not" if missing or beyond or not published else "ok "
    print(f"  {verdict} {system}: {len(published & own)} items are those of polling")
    sys.exit(verdict == "not")


if __name__ == "__main__":
    main()
