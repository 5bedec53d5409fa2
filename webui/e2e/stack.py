"""A whole system for the tests of the page: prints where it is, obeys the lines that it reads, ends with its input."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg
from numpy.random import Generator, default_rng
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from imagomortis.picture.thumbhash import thumbhash
from imagomortis_cli.pictures import landscapes, patterns, skies
from tests.support.running_system import Stack, running

PAINTS: dict[str, Callable[[int, int, Generator], Image.Image]] = {
    "sunset.jpg": landscapes.sunset,
    "mountains.jpg": landscapes.mountains,
    "dunes.jpg": landscapes.dunes,
    "city.png": landscapes.city,
    "night-sky.jpg": skies.night_sky,
    "aurora.jpg": skies.aurora,
    "planet.jpg": skies.planet,
    "marble.webp": patterns.marble,
    "sunflower.png": patterns.sunflower,
    "waves.png": patterns.waves,
}


def draw(folder: Path) -> None:
    """Write a few varied pictures, and files that no server should take."""
    folder.mkdir()
    for number, (name, paint) in enumerate(PAINTS.items()):
        size = (900, 1200) if name == "sunflower.png" else (1200, 800)
        paint(*size, default_rng(number)).convert("RGB").save(folder / name)
    whole = (folder / "sunset.jpg").read_bytes()
    (folder / "cut-off.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "page.jpg").write_text("<!doctype html><script>alert(1)</script>")
    (folder / "notes.txt").write_text("not a picture")


def kill(stack: Stack, part: str) -> None:
    """End the processes of a part at once; the system starts them again."""
    for process, command in stack.commands():
        if part in command and "imagomortis up" not in command:
            process.kill()


def expire(stack: Stack) -> None:
    """Let retention delete the runs that have ended, but for the latest of each hour."""
    days = 0.5 / 86_400
    done = stack.command("env", f"IMAGOMORTIS_RUN_RETENTION_DAYS={days:.8f}", "imagomortis", "retention", seconds=600)
    if done.returncode:
        raise RuntimeError(done.stderr)


FILL = """
WITH made AS (
    INSERT INTO images (id, created_at, filename, media_type, sha256, size, width, height, state, recipe, recipe_digest,
                        recipe_name, attempt, finished_at)
    SELECT gen_random_uuid(), now() - number * interval '1 min', 'picture-' || number || '.jpg', 'image/jpeg',
           sha256(number::text::bytea), 50000, 1200, 800, 'done', '{"steps": [{"transform": "grayscale"}]}', 'digest',
           'black-and-white', 1, now()
    FROM generate_series(1, %(count)s) AS number
    RETURNING id, filename
)
INSERT INTO renditions (image_id, kind, media_type, width, height, size, sha256, recipe_digest, thumbhash,
                        bytes)
SELECT id, kind, 'image/webp', 96, 64, octet_length(small), sha256(small), 'digest', rough, small
FROM made CROSS JOIN unnest(ARRAY['processed', 'thumbnail']) AS kind
          CROSS JOIN LATERAL (SELECT 1 + (hashtext(filename) & 7) AS which) AS chosen
          CROSS JOIN LATERAL (SELECT (%(small)s::bytea[])[which] AS small, (%(rough)s::bytea[])[which] AS rough) AS one
"""


def fill(stack: Stack, pictures: Path, count: int) -> None:
    """Put many finished pictures into the catalog, each with one of a few small thumbnails."""
    small, rough = [], []
    for path in sorted(pictures.glob("*.*"))[:12]:
        try:
            image = Image.open(path).convert("RGB").resize((96, 64))
        except OSError:
            continue
        file = io.BytesIO()
        image.save(file, "WEBP", quality=50)
        small.append(file.getvalue())
        rough.append(thumbhash(image))
    with psycopg.connect(stack.variables()["DATABASE_URL"]) as connection:
        connection.execute(FILL, {"count": count, "small": small[:8], "rough": rough[:8]})
    with psycopg.connect(stack.variables()["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE images")


def main() -> None:
    """Run until the input ends; `settings` as JSON may be the first argument."""
    settings = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    with tempfile.TemporaryDirectory(prefix="imagomortis-e2e-") as folder:
        pictures = Path(folder) / "pictures"
        draw(pictures)
        with running(Path(folder) / "home", patience=300, **settings) as stack:
            place = {
                "url": stack.url("WEB"),
                "api": stack.url("API"),
                "uploader": stack.url("UPLOAD"),
                "dagster": stack.url("DAGSTER"),
                "pictures": str(pictures),
                "spool": str(stack.home / "spool"),
                "log": str(stack.log),
            }
            print(json.dumps(place), flush=True)
            for line in sys.stdin:
                verb, *rest = line.split()
                if verb == "kill":
                    kill(stack, rest[0])
                elif verb == "fill":
                    fill(stack, pictures, int(rest[0]))
                elif verb == "expire":
                    expire(stack)
                print(json.dumps({"done": verb}), flush=True)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()
