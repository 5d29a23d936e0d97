"""What the ffi.rs files declare."""
import json
import re
import shutil

from tools import HERE, Failed, run


class Item:
    """A constant, type, struct (or union), foreign function ("fn"), or function with a body ("code") of a file, on one
    target."""

    def __init__(self, file, path, what, described, index):
        self.file, self.path, self.what = file, path, what
        self.name, self.span = described["name"], described["span"]
        self.attributes = str(described["attrs"])
        (kind, self.inner), = described["inner"].items()
        fields = []
        if kind == "struct":
            fields = self.inner["kind"]["plain"]["fields"]
        elif kind == "union":
            fields = self.inner["fields"]
        self.fields = [(index[str(number)]["name"], index[str(number)]["span"]) for number in fields]

    @property
    def key(self):
        return f"{self.what} {self.name}"

    def is_option(self):
        return self.inner["type"].get("resolved_path", {}).get("path", "").split("::")[-1] == "Option"

    def is_pointer(self):
        return "raw_pointer" in self.inner["type"] or str(self.inner["const"]["value"]).startswith("{0x")

    def is_laid_out_as_in_c(self):
        return "'repr': {'kind': 'c'" in self.attributes

    def linked_name(self):
        found = re.search(r'LinkName \{name: "(.*?)"', self.attributes)
        return found[1] if found else self.name

    def abi(self):
        abi = self.inner["header"]["abi"]
        abi = abi if isinstance(abi, str) else next(iter(abi))
        return {"System": "system"}.get(abi, abi)

    def parameters(self):
        return [name for name, _ in self.inner["sig"]["inputs"]]


class Sources:
    """The ffi.rs files, and the attributes with which lib.rs declares their modules: `cfg` selects the systems."""

    def __init__(self, folder):
        files = sorted(folder.glob("*/ffi.rs"))
        self.text = {file.parent.name: file.read_text() for file in files}
        self.attributes = {}
        lib = (folder / "lib.rs").read_text()
        for name in self.text:
            found = re.search(rf"((?:^#\[[^\]]*\]\s*)*)^(?:pub(?:\(\w+\))? )?mod {name};", lib, re.M)
            if not found:
                raise Failed(f"{folder}/lib.rs has no `mod {name};`, but there is a {name}/ffi.rs")
            self.attributes[name] = found[1]
        if not files:
            raise Failed(f"there is no ffi.rs in {folder}")

    def crate(self, folder, inside):
        """Writes a crate of these files alone, each followed by the text `inside(name)`, so that line numbers stay the
        same. Returns its lib.rs."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(HERE / "types.rs", folder / "header_check.rs")
        root = "#![allow(warnings)]\nmod header_check;\n"
        for name, text in self.text.items():
            file = folder / f"{name}_ffi.rs"
            file.write_text(text + inside(name))
            root += f'{self.attributes[name]}pub mod {name} {{ #[path = "{file}"] pub mod ffi; }}\n'
        lib = folder / "lib.rs"
        lib.write_text(root)
        return lib


def shown(file):
    return f"src/{file}/ffi.rs"


def declared(sources, target, toolchain, folder):
    """All items that the compiler sees in the files on that target."""
    lib = sources.crate(folder, lambda name: "")
    done = run("rustdoc", "--edition", "2021", "--crate-name", "declared", "--target", target,
               "--sysroot", toolchain.sysroot, "-Zunstable-options", "--output-format", "json",
               "--document-private-items", "-o", folder, lib, env=toolchain.unstable)
    if done.returncode != 0:
        raise Failed(f"rustdoc: {done.stderr}")
    crate = json.loads((folder / "declared.json").read_text())
    index, items = crate["index"], []

    def inside(module):
        return [index[str(number)] for number in module["inner"]["module"]["items"]]

    def walk(module, file, path):
        for item in inside(module):
            (what, inner), = item["inner"].items()
            if what == "module":
                walk(item, file, f"{path}{item['name']}::")
            elif what == "function":
                items.append(Item(file, path + item["name"], "code" if inner["has_body"] else "fn", item, index))
            elif what in ("constant", "type_alias", "struct", "union"):
                word = {"constant": "const", "type_alias": "type"}.get(what, "struct")
                if item["name"] not in (None, "_"):
                    items.append(Item(file, path + item["name"], word, item, index))
            elif what not in ("use", "impl"):
                raise Failed(f"{shown(file)}: {item['name']} is a {what}, of which nothing is known here")

    for module in inside(index[str(crate["root"])]):
        if module["name"] in sources.text:
            ffi, = inside(module)
            walk(ffi, module["name"], "")
    return items


def cut(text, span):
    """What is before a span, what is in it, and what is after."""
    lines = text.splitlines(keepends=True)
    (first, left), (last, right) = span["begin"], span["end"]
    start = sum(map(len, lines[:first - 1])) + left - 1
    end = sum(map(len, lines[:last - 1])) + right - 1
    return text[:start], text[start:end], text[end:]
