"""Tells the licences of everything that is shipped: fails on one that is not on the list, writes an SBOM and a NOTICE.

    python requirements/licences.py check | sbom | notice [--pins requirements/kubernetes.txt]

The packages are those of the pins, as they are installed here, and the shared libraries that their wheels carry in
`*.libs`; the page's are those that it imports, as webui/package-lock.json has them. The SBOM is CycloneDX 1.6.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause-UC", "Bitstream-Vera", "BlueOak-1.0.0"),
    *("CC0-1.0", "FTL", "HPND", "IJG"),
    *("ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "OLDAP-2.8", "PSF-2.0", "PostgreSQL", "Zlib", "libpng-2.0"),
    # linked dynamically, and replaceable
    *("LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later"),
    *("libtiff", "LicenseRef-Public-Domain", "GPL-3.0-or-later WITH GCC-exception-3.1", "OFL-1.1"),
}

SPELLED = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-or-later",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-3.0-or-later",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "LGPL with exceptions": "LGPL-3.0-or-later",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What packages write in place of an identifier of SPDX."""

LIBRARIES = {
    "LGPL-2.1-or-later": "libcrypt libkeyutils libquadmath",
    "LGPL-3.0-or-later": "libde265 libheif",
    "GPL-3.0-or-later WITH GCC-exception-3.1": "libgcc_s libgfortran libgomp libstdc++",
    "PostgreSQL": "libecpg libpgtypes libpq",
    "BSD-2-Clause": "libavif libopenjp2",
    "BSD-3-Clause": "libpcre libscipy_openblas64_ libsharpyuv libwebp libwebpdemux libwebpmux libzstd",
    "BSD-4-Clause-UC": "libsasl2",
    "MIT": "libXau libbrotlicommon libbrotlidec libcom_err libffi libgssapi_krb5 libharfbuzz libk5crypto libkrb5 "
    "libkrb5support liblcms2 libxcb",
    "Apache-2.0": "libcrypto libssl",
    "OLDAP-2.8": "liblber libldap",
    "FTL": "libfreetype",
    "IJG AND BSD-3-Clause AND Zlib": "libjpeg",
    "0BSD": "liblzma",
    "libpng-2.0": "libpng16",
    "libtiff": "libtiff",
    "LicenseRef-Public-Domain": "libselinux",
}
"""Shared libraries by their licence, as their projects state it."""

IN_PAGE = (
    *("@fontsource-variable/figtree", "@uppy/core", "@uppy/tus", "@uppy/xhr-upload", "cropperjs", "hash-wasm"),
    *("openapi-fetch", "photoswipe", "svelte", "virtua"),
)
"""What the sources of the page import."""

STATED_ELSEWHERE = {"combine-errors": "MIT"}
"""What a package says in its readme alone."""

_LIBRARY_LICENCES = {name: licence for licence, names in LIBRARIES.items() for name in names.split()}


@dataclass(frozen=True)
class Component:
    """Something that is shipped: its name, version and licence, and what identifies it elsewhere."""

    name: str
    version: str
    licence: str
    purl: str
    part_of: str = ""

    @property
    def is_allowed(self) -> bool:
        """Whether each licence of the expression is on the list; of alternatives, one of them."""
        return all(
            any(one.strip(" ()") in ALLOWED for one in term.split(" OR "))
            for term in re.split(r" AND (?![^(]*\))", self.licence)
        )


def packages(pins: Path) -> Iterator[Component]:
    """Yield the packages of the pins and the libraries in their wheels; exits if one is not installed."""
    for line in pins.read_text().splitlines():
        if not re.match(r"[A-Za-z0-9]", line):
            continue
        requirement = Requirement(line.rstrip("\\ "))
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            found = distribution(requirement.name)
        except PackageNotFoundError:
            sys.exit(f"{requirement.name} is not installed here: install requirements/dev.txt")
        yield Component(
            found.metadata["Name"], found.version, licence(found), f"pkg:pypi/{requirement.name}@{found.version}"
        )
        yield from libraries(found)


def licence(found: Distribution) -> str:
    """Return the licence that a package states: an expression, classifiers, or some words."""
    metadata = found.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [
        one.rpartition(" :: ")[2]
        for one in metadata.get_all("Classifier") or ()
        if one.startswith("License :: ") and not one.endswith("OSI Approved")
    ]
    words = classifiers or [(metadata.get("License") or "").partition("\n")[0]]
    return " OR ".join(SPELLED.get(word, word) for word in words) or "not stated"


def libraries(found: Distribution) -> Iterator[Component]:
    """Yield the shared libraries that a wheel brings along."""
    for file in found.files or ():
        if file.parts[0].endswith(".libs"):
            stem, _, version = file.name.partition(".so")
            name = re.sub(r"(-[0-9a-f]{8})+$", "", stem)
            owner = found.metadata["Name"]
            stated = _LIBRARY_LICENCES.get(name, "not stated")
            yield Component(name, version.strip("."), stated, f"pkg:generic/{name}@{version.strip('.')}", owner)


def of_the_page(lock: Path) -> Iterator[Component]:
    """Yield the packages that are bundled into the page, with what they need."""
    locked = json.loads(lock.read_text())["packages"]
    todo, seen = list(IN_PAGE), set[str]()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        entry = locked[f"node_modules/{name}"]
        todo += entry.get("dependencies", ())
        purl = f"pkg:npm/{name.replace('@', '%40')}@{entry['version']}"
        stated = entry.get("license") or STATED_ELSEWHERE.get(name, "not stated")
        yield Component(name, entry["version"], stated, purl, "the page")


def vendored() -> Iterator[Component]:
    """Yield what lies in this repository and is somebody else's."""
    yield Component("DejaVu Sans Mono", "2.30", "Bitstream-Vera", "pkg:generic/dejavu-fonts@2.30", "the watermark")
    for name in ("DejaVu Sans", "DejaVu Serif"):
        purl = f"pkg:generic/{name.lower().replace(' ', '-')}@2.37"
        yield Component(name, "2.37", "Bitstream-Vera", purl, "the text transform")


def sbom(components: list[Component], version: str) -> str:
    """Return the components as a document of CycloneDX."""
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "imagomortis", "version": version}},
        "components": [
            {
                "type": "library",
                "bom-ref": f"{one.part_of}/{one.purl}",
                "name": one.name,
                "version": one.version,
                "purl": one.purl,
                "licenses": [{"expression": one.licence}],
            }
            for one in components
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def notice(components: list[Component]) -> str:
    """Return a text for people: what is shipped, and under which licence."""
    lines = [
        f"{one.name} {one.version}" + (f" (in {one.part_of})" if one.part_of else "") + f": {one.licence}"
        for one in components
    ]
    return "\n".join(["ImagoMortis, Apache-2.0. It is shipped with:", "", *sorted(set(lines), key=str.lower), ""])


def main() -> None:
    """Check, or print what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["check", "sbom", "notice"])
    parser.add_argument("--pins", type=Path, default=ROOT / "requirements" / "kubernetes.txt")
    given = parser.parse_args()
    components = [*packages(given.pins), *of_the_page(ROOT / "webui" / "package-lock.json"), *vendored()]
    if refused := [one for one in components if not one.is_allowed]:
        told = [f"{one.name} {one.version} {one.part_of}: {one.licence}" for one in refused]
        sys.exit("\n".join(["Not on the list of licences in requirements/licences.py:", *told]))
    if given.what == "sbom":
        version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
        sys.stdout.write(sbom(components, version[1] if version else ""))
    elif given.what == "notice":
        sys.stdout.write(notice(components))


if __name__ == "__main__":
    main()
