"""The outputs of an image: their list, their bytes, and all of them in a zip file."""

from __future__ import annotations

import io
import zipfile
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from imagomortis.catalog import Catalog
from tests.api_service.conftest import add, process, rendition

OUTPUTS = {"steps": [], "outputs": {"wide": {}, "small": {}, "old": {}, "square": {}}, "first": "wide"}
BYTES = {"wide": b"wide", "small": b"small", "old": b"old", "square": b"square"}


@pytest.fixture
def image(catalog: Catalog) -> UUID:
    """An image with four outputs: one twice as small, one of those as JPEG, and a square."""
    image_id = add(catalog, recipe=OUTPUTS, filename="harbour.png")
    others = [
        rendition("small", b"small", "image/webp", (2, 2)),
        rendition("old", b"old", "image/jpeg", (2, 2)),
        rendition("square", b"square", "image/avif", (9, 3)),
    ]
    process(catalog, b"wide", media_type="image/webp", others=others)
    return image_id


def test_outputs_are_listed_with_the_first_one_first(client: TestClient, image: UUID) -> None:
    answer = client.get(f"/images/{image}/outputs")
    assert answer.status_code == 200
    found = answer.json()["outputs"]
    assert [(each["name"], each["media_type"], each["width"], each["bytes"]) for each in found] == [
        ("wide", "image/webp", 4, 4),
        ("square", "image/avif", 9, 6),
        ("old", "image/jpeg", 2, 3),
        ("small", "image/webp", 2, 5),
    ]
    assert found == client.get(f"/images/{image}/info").json()["outputs"]
    for each in found:
        picture = client.get(f"/{each['url']}")
        assert (picture.content, picture.headers["content-type"]) == (BYTES[each["name"]], each["media_type"])
        assert "immutable" in picture.headers["cache-control"]


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_a_srcset_names_the_outputs_in_the_proportions_of_the_first(
    client: TestClient, image: UUID, prefix: str
) -> None:
    found = client.get(f"{prefix}/images/{image}/outputs").json()["srcset"]
    assert found.keys() == {"image/webp", "image/jpeg"}
    small, wide = (entry.split() for entry in found["image/webp"].split(", "))
    assert (small[1], wide[1]) == ("2w", "4w")
    assert small[0].startswith(f"{prefix}/images/{image}/outputs/small?v=")
    assert client.get(wide[0]).content == b"wide"


def test_a_recipe_without_outputs_has_one(client: TestClient, catalog: Catalog) -> None:
    image_id = add(catalog)
    assert client.get(f"/images/{image_id}/outputs").json() == {"outputs": [], "srcset": {}}
    process(catalog)
    assert [each["name"] for each in client.get(f"/images/{image_id}/outputs").json()["outputs"]] == ["processed"]
    assert client.get(f"/images/{image_id}/outputs/processed.jpg").content == b"processed"


@pytest.mark.parametrize(
    ("name", "data", "filename"),
    [
        ("wide", b"wide", "harbour-wide.webp"),
        ("wide.webp", b"wide", "harbour-wide.webp"),
        ("old.jpg", b"old", "harbour-old.jpg"),
        ("old.jpeg", b"old", "harbour-old.jpg"),
        ("square.avif", b"square", "harbour-square.avif"),
    ],
)
def test_an_output_is_served_with_and_without_its_suffix(
    client: TestClient, image: UUID, name: str, data: bytes, filename: str
) -> None:
    answer = client.get(f"/images/{image}/outputs/{name}")
    assert (answer.status_code, answer.content) == (200, data)
    assert filename in answer.headers["content-disposition"]
    part = client.get(f"/images/{image}/outputs/{name}", headers={"Range": "bytes=1-"})
    assert (part.status_code, part.content) == (206, data[1:])
    head = client.head(f"/images/{image}/outputs/{name}")
    assert head.headers["content-length"] == str(len(data))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("wide.jpg", "The output 'wide' is image/webp: ask for wide.webp"),
        ("wide.", "ask for wide.webp"),
        ("wide.webp.webp", "ask for wide.webp"),
        ("large", "has no output 'large'. It has wide, square, old, small."),
        ("thumbnail", "has no output 'thumbnail'"),
        ("original", "has no output 'original'"),
    ],
)
def test_an_unknown_output_is_not_found(client: TestClient, image: UUID, name: str, says: str) -> None:
    answer = client.get(f"/images/{image}/outputs/{name}")
    assert answer.status_code == 404
    assert says in answer.json()["detail"]


def test_outputs_of_an_image_that_is_not_done_or_not_there(client: TestClient, catalog: Catalog) -> None:
    waiting = client.get(f"/images/{add(catalog)}/outputs/processed")
    assert (waiting.status_code, waiting.json()["state"]) == (404, "queued")
    assert "has no outputs yet" in waiting.json()["detail"]
    for end in ("", "/small"):
        assert "There is no image" in client.get(f"/images/{uuid4()}/outputs{end}").json()["detail"]


def test_a_deleted_image_has_no_outputs(client: TestClient, catalog: Catalog, image: UUID) -> None:
    catalog.images.delete([image])
    for end in ("", "/wide", "/small"):
        assert client.get(f"/images/{image}/outputs{end}").status_code == 404


def test_processed_is_the_first_output(client: TestClient, image: UUID) -> None:
    for path in ("", "/processed"):
        assert client.get(f"/images/{image}{path}").content == b"wide"


def test_a_zip_holds_all_outputs_or_the_named_one(client: TestClient, catalog: Catalog, image: UUID) -> None:
    plain = add(catalog, b"other", filename="plain.jpg")
    process(catalog)
    every = {
        "harbour-wide.webp": b"wide",
        "harbour-small.webp": b"small",
        "harbour-old.jpg": b"old",
        "harbour-square.avif": b"square",
        "plain.jpg": b"processed",
    }
    wanted = {"ids": [str(image), str(plain)]}
    assert unpacked(client.post("/images/zip", json=wanted).content) == every
    assert unpacked(client.get("/images/zip", params={**wanted, "kind": "processed"}).content) == {
        "harbour.webp": b"wide",
        "plain.jpg": b"processed",
    }
    small = unpacked(client.post("/images/zip", json={**wanted, "output": "small"}).content)
    assert small.pop("harbour-small.webp") == b"small"
    assert str(plain) in small.pop("not-included.txt").decode()
    assert small == {}
    assert client.post("/images/zip", json={**wanted, "output": "none"}).status_code == 404


def unpacked(data: bytes) -> dict[str, bytes]:
    """Return the files of a zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
