"""What is built for the cluster is what one machine has: the page's headers and caching, the pinned packages."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from imagomortis import version
from imagomortis.settings import Settings
from imagomortis_cli.machine.front_door.app import SECURITY_HEADERS, create_app
from tests.deploy.manifests import DEPLOY, ROOT, base

IMAGES = DEPLOY / "images"


def directives(text: str, name: str) -> list[list[str]]:
    """The arguments of every directive of that name in a configuration of nginx."""
    return [shlex.split(found) for found in re.findall(rf"^\s*{name}\s+(.*);$", text, re.MULTILINE)]


def location(path: str) -> str:
    """What nginx does below a path, as its configuration has it."""
    text = (IMAGES / "nginx.conf").read_text()
    (start,) = re.finditer(rf"^\s*location {re.escape(path)}\s*\{{", text, re.MULTILINE)
    end, depth = start.end(), 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return text[start.end() : end - 1]


def test_the_page_has_the_same_headers() -> None:
    given = directives((IMAGES / "page-headers.conf").read_text(), "add_header")
    assert {name: value for name, value, _ in given} == SECURITY_HEADERS
    assert {always for _, _, always in given} == {"always"}


@pytest.mark.parametrize("path", ["/assets/", "/", "@page"])
def test_every_page_of_nginx_has_them(path: str) -> None:
    """A header that a location adds hides those of the levels above it."""
    assert directives(location(path), "include") == [["page-headers.conf"]]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "place"), [("/assets/a-1b2c.js", "/assets/"), ("/index.html", "/"), ("/images/some-id", "@page")]
)
async def test_the_page_is_kept_for_as_long(path: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a-1b2c.js").write_text("1")
    (tmp_path / "index.html").write_text("<!doctype html>")
    app = create_app(Settings(), tmp_path)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    (value,) = [value for name, value, _ in directives(location(place), "add_header") if name == "Cache-Control"]
    assert value == answer.headers["Cache-Control"]


def test_nginx_passes_on_what_the_front_door_passes_on() -> None:
    text = (IMAGES / "nginx.conf").read_text()
    passed = {path: location(path).strip() for path in ("= /api", "/api/", "= /upload", "/upload/")}
    assert passed == {
        "= /api": "proxy_pass http://api;",
        "/api/": "proxy_pass http://api;",
        "= /upload": "proxy_pass http://uploader;",
        "/upload/": "proxy_pass http://uploader;",
    }
    for part in ("api", "uploader"):
        (port,) = base().one("Service", part)["spec"]["ports"]
        assert f"server {part}:{port['port']};" in text


def test_nothing_is_held_back_on_its_way() -> None:
    text = (IMAGES / "nginx.conf").read_text()
    for name, value in (("proxy_buffering", "off"), ("proxy_request_buffering", "off"), ("client_max_body_size", "0")):
        assert directives(text, name) == [[value]]
    annotations = base().one("Ingress", "imagomortis")["metadata"]["annotations"]
    prefix = "nginx.ingress.kubernetes.io/"
    assert annotations[f"{prefix}proxy-buffering"] == annotations[f"{prefix}proxy-request-buffering"] == "off"
    assert annotations[f"{prefix}proxy-body-size"] == "0"


def test_the_ingress_has_the_same_paths() -> None:
    (rule,) = base().one("Ingress", "imagomortis")["spec"]["rules"]
    assert rule["host"] in Settings().hosts
    paths = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert paths == {"/api": "api", "/upload": "uploader", "/": "webui"}


def test_packages_come_by_their_hashes() -> None:
    text = (IMAGES / "Dockerfile").read_text()
    installs = re.findall(r"pip[^&\n]* install ([^&\n]*)", text)
    assert len(installs) == 3
    for options in installs:
        assert "--require-hashes" in options or "--no-index" in options  # the latter is our own wheel
    assert "RUN npm ci " in (IMAGES / "webui.Dockerfile").read_text()


@pytest.mark.parametrize("name", ["Dockerfile", "webui.Dockerfile"])
def test_images_run_as_the_user_of_their_pods(name: str) -> None:
    last_stage = (IMAGES / name).read_text().rpartition("\nFROM ")[2]
    context = base().pod("webui" if name.startswith("webui") else "api").spec["securityContext"]
    assert re.findall(r"^USER (.*)$", last_stage, re.MULTILINE) == [f"{context['runAsUser']}:{context['runAsGroup']}"]


def test_files_of_an_image_are_sent_to_its_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for name in ("Dockerfile", "webui.Dockerfile"):
        copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (IMAGES / name).read_text(), re.MULTILINE)
        for source in [word for line in copied for word in line.split()]:
            assert (ROOT / source).exists(), source
            parents = {source, *(parent.as_posix() for parent in Path(source).parents)}
            assert parents & {line.removeprefix("!") for line in ignored if line.startswith("!")}, source


# --- what the build tells ---------------------------------------------------------------------------------------------


FULL = "docker.io/library/"
"""What Kubernetes takes a short name for."""


def told_by_the_build(folder: Path, builder: str, **values: str) -> str:
    """What the build says where this builder works alone, without a build."""
    for name in ("docker", "podman", "buildah", "my-builder"):
        program = folder / name
        program.write_text(f"#!/bin/sh\nexit {int(name != builder)}\n")
        program.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "VERSION": "7.8.9", **values}
    done = subprocess.run([IMAGES / "build"], capture_output=True, text=True, check=True, env=environment)
    return done.stderr


def test_docker_loads_its_images_by_name(tmp_path: Path) -> None:
    told = told_by_the_build(tmp_path, "docker")
    assert "kind load docker-image imagomortis:7.8.9 imagomortis-webui:7.8.9\n" in told
    assert "docker save imagomortis:7.8.9 imagomortis-webui:7.8.9 | sudo k3s ctr images import -\n" in told


@pytest.mark.parametrize(
    ("builder", "saved"),
    [
        (
            "podman",
            {"images.tar": f"podman save -m -o images.tar {FULL}imagomortis:7.8.9 {FULL}imagomortis-webui:7.8.9"},
        ),
        (
            "buildah",
            {
                f"{name}.tar": f"buildah push {FULL}{name}:7.8.9 docker-archive:{name}.tar:{FULL}{name}:7.8.9"
                for name in ("imagomortis", "imagomortis-webui")
            },
        ),
    ],
)
def test_clusters_get_archives_of_images_that_docker_does_not_have(
    tmp_path: Path, builder: str, saved: dict[str, str]
) -> None:
    told = told_by_the_build(tmp_path, builder)
    assert "docker-image" not in told
    for file, command in saved.items():
        assert command in told
        for load in ("kind load image-archive", "minikube image load", "sudo k3s ctr images import"):
            assert f" {load} {file}\n" in told


def test_a_builder_of_yours_is_not_told_how_to_load(tmp_path: Path) -> None:
    told = told_by_the_build(tmp_path, "my-builder", IMAGE_BUILD="my-builder")
    assert "unless it has loaded them already" in told
    assert not re.search("docker|podman|buildah|kind|minikube", told)


# --- nginx's errors ---------------------------------------------------------------------------------------------------


def as_json(line: str) -> dict[str, Any]:
    """What the image makes of a line that nginx writes."""
    words = ["sed", "-u", "-E", "-f", str(IMAGES / "error-log.sed")]
    done = subprocess.run(words, input=line + "\n", capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_error_of_nginx_is_one_of_our_lines() -> None:
    line = (
        "2026/11/25 01:14:05 [error] 8#8: *3 connect() failed (101: Network is unreachable) while connecting to "
        'upstream, client: 10.1.0.1, server: , request: "POST /upload HTTP/1.1", upstream: "http://10.96.22.65:30082/upload"'
    )
    found = as_json(line)
    assert found.pop("event") == line.partition("8#8: ")[2]
    assert found == {"time": "2026-11-25T01:14:05+00:00", "level": "error", "part": "webui", "pid": 8}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("debug", "debug"),
        ("info", "info"),
        ("notice", "info"),
        ("warn", "warning"),
        ("error", "error"),
        ("crit", "critical"),
        ("alert", "critical"),
        ("emerg", "critical"),
    ],
)
def test_levels_of_nginx_become_ours(theirs: str, ours: str) -> None:
    assert as_json(f"2026/11/25 01:14:05 [{theirs}] 8#8: hello")["level"] == ours


def test_an_error_tells_no_query() -> None:
    line = (
        "2026/11/25 01:14:05 [error] 8#8: *3 upstream timed out, client: 10.1.0.1, server: , "
        'request: "GET /api/images?token=geheim HTTP/1.1", upstream: "http://10.96.2.6:30081/api/images?token=geheim", '
        'host: "imagomortis.local", referrer: "http://imagomortis.local/?token=geheim"'
    )
    event = as_json(line)["event"]
    assert "geheim" not in event
    assert event.endswith(
        'upstream: "http://10.96.2.6:30081/api/images", host: "imagomortis.local", referrer: "http://imagomortis.local/"'
    )


def test_every_line_of_nginx_is_json() -> None:
    assert as_json('The "files"\tbelong \\ to \x1b[1mme')["part"] == "webui"


@pytest.mark.parametrize("file", sorted(IMAGES.glob("*ockerfile")), ids=lambda file: file.name)
def test_an_image_says_what_it_is(file: Path) -> None:
    last = file.read_text().rpartition("\nFROM ")[2]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', last))
    assert labels.keys() == {"title", "description", "version", "licenses"}
    assert labels["version"] == "$VERSION"


def instructions(dockerfile: Path) -> list[tuple[str, list[str]]]:
    """The instructions of a Dockerfile, each with its words."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [shlex.split(line) for line in text.splitlines() if line.strip()]
    return [(name, words) for name, *words in lines]


def test_the_image_of_the_example_transform_fits_ours() -> None:
    """Nothing builds it here, so its stages are compared with those of our image."""
    example, ours = instructions(ROOT / "examples" / "tint" / "Dockerfile"), instructions(IMAGES / "Dockerfile")
    assert [name for name, _ in example] == ["FROM", "COPY", "RUN", "FROM", "COPY"]
    (_, build), (_, sources), (_, install), (_, base_image), (_, transforms) = example

    assert build == next(words for name, words in ours if name == "FROM")
    assert sources == [".", "package"]
    assert install[-3:] == ["--target", "/transforms", "./package"]
    assert base_image == [f"imagomortis:{version()}"]
    [python] = re.findall(r"python:(\d+\.\d+)-", build[0])
    assert transforms == [
        "--from=build",
        "/transforms",
        f"/opt/imagomortis/lib/python{python}/site-packages",
    ]
    assert ("RUN", ["python", "-m", "venv", "--without-pip", "/opt/imagomortis"]) in ours
