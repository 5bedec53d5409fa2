"""Runs the measurements and prints a table of figures, targets and ratios.

python -m bench [NAME...] [--quick] [--clone] [--json FILE] [--check] [--record]
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from bench import recorded
from bench.figure import Figure, show
from bench.suites import api, page, resources, start, upload
from bench.suites.pipeline import scale, storage, suite
from imagomortis.errors import ImagoMortisError

Bench = Callable[[], Iterable[Figure]]


def main() -> int:
    """Run the named benches; return 1 if one of them fails, or if `--check` finds a worse figure."""
    options = _parser().parse_args()
    benches: dict[str, Bench] = {
        "pipeline": partial(suite.run, quick=options.quick),
        "storage": storage.run,
        "scale": partial(scale.run, quick=options.quick),
        "upload": upload.run,
        "api": api.run,
        "resources": resources.run,
        "page": page.run,
        "start": partial(start.run, clone=options.clone),
    }
    if unknown := set(options.names) - set(benches):
        print(f"There is no bench {', '.join(sorted(unknown))}; there are {', '.join(benches)}.", file=sys.stderr)
        return 2
    if options.check and not recorded.FILE.exists():
        print(
            f"There is nothing to compare with: `python -m bench --record` writes {recorded.FILE.name}.",
            file=sys.stderr,
        )
        return 2
    figures: list[Figure] = []
    complete = [_take(benches[name], name, figures) for name in options.names or benches]
    show(figures)
    if options.json:
        options.json.write_text(json.dumps([recorded.as_json(figure) for figure in figures], indent=2) + "\n")
    worse = recorded.worse(figures, recorded.read()) if options.check else []
    for said in worse:
        print(said, file=sys.stderr)
    if options.record:
        recorded.record(figures)
    return 0 if all(complete) and not worse else 1


def _take(bench: Bench, name: str, figures: list[Figure]) -> bool:
    """Add the figures of a bench; return False if it could not measure all of them."""
    print(f"measuring {name} ...", file=sys.stderr)
    try:
        for figure in bench():
            figures.append(figure)
            print(f"  {figure.name}: {figure.value:,.4g} {figure.unit}", file=sys.stderr)
    except ImagoMortisError as error:
        print(f"{name}: {error.detail}", file=sys.stderr)
        return False
    except Exception:  # noqa: BLE001 (one bench can fail in any way, and the others go on)
        traceback.print_exc()
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, and print a table.")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="pipeline, storage, scale, upload, api, resources, page, start; all if none",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="2,000 pictures instead of 10,000 through the pipeline, and 100,000 rows instead of 2,000,000",
    )
    parser.add_argument("--clone", action="store_true", help="also time a fresh clone, which installs everything")
    parser.add_argument("--check", action="store_true", help=f"fail if a figure is worse than in {recorded.FILE.name}")
    parser.add_argument("--record", action="store_true", help=f"write the figures to {recorded.FILE.name}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to a file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
