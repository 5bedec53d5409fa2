"""Settings: what is read from the environment, and what is said of what cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagomortis.errors import ConfigurationError
from imagomortis.inbox_sources import Take
from imagomortis.settings import Settings, example, variable, with_database
from imagomortis.settings_reference import reference


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "PGHOST", "PGSERVICE", "PGHOSTADDR"):
        monkeypatch.delenv(name, raising=False)


def test_a_wrong_value_is_named_with_its_problem_and_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGOMORTIS_WEB_PORT", "eighty")
    with pytest.raises(ConfigurationError) as error:
        Settings.read()
    assert "IMAGOMORTIS_WEB_PORT" in error.value.detail
    assert "valid integer" in error.value.detail
    assert "IMAGOMORTIS_WEB_PORT=30080" in error.value.detail


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGOMORTIS_WEB_PORT", "0")
    monkeypatch.setenv("IMAGOMORTIS_ACCESS", "maybe")
    with pytest.raises(ConfigurationError, match=r"IMAGOMORTIS_WEB_PORT(?s:.*)IMAGOMORTIS_ACCESS"):
        Settings.read()


def test_a_short_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGOMORTIS_TOKEN", "hunter2")
    with pytest.raises(ConfigurationError) as error:
        Settings.read()
    assert "IMAGOMORTIS_TOKEN" in error.value.detail
    assert "hunter2" not in str(error.value)


def test_a_secret_can_come_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "IMAGOMORTIS_TOKEN").write_text("of-sixteen-letters-and-more\n")
    (tmp_path / "DATABASE_URL").write_text("postgresql://user:hunter2@somewhere/pictures")
    monkeypatch.setenv("IMAGOMORTIS_SECRETS", str(tmp_path))
    settings = Settings.read()
    assert settings.required_token == "of-sixteen-letters-and-more"
    assert settings.conninfo == "postgresql://user:hunter2@somewhere/pictures"
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/pictures")
    assert Settings.read().conninfo == "postgresql://elsewhere/pictures"


def test_a_wrong_secret_in_a_file_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "IMAGOMORTIS_TOKEN").write_text("hunter2")
    with pytest.raises(ConfigurationError) as error:
        Settings.read(secrets=tmp_path)
    assert "IMAGOMORTIS_TOKEN" in error.value.detail
    assert "hunter2" not in str(error.value)


WRONG = {
    "secrets": "/nowhere",
    "traces_url": "collector",
    "spool": "ftp://pictures",
    "storage": "ftp://pictures",
    "export_targets": "s3://bucket/exports,ftp://pictures",
    "inboxes": "s3://bucket/inbox,ftp://pictures",
    "storage_endpoint": "seaweedfs:8333",
    "storage_path_style": "perhaps",
    "storage_redirect": "perhaps",
    "database_url": "mysql://localhost/pictures",
    "dagster_database_url": "localhost",
    "database_connections": "1",
    "bind": "all of them",
    "access": "everybody",
    "token": "short",
    "allowed_hosts": "pictures.example.org,http://pictures",
    "max_upload_bytes": "100MB",
    "max_connections": "9",
    "max_event_streams": "0",
    "max_unfinished_uploads": "0",
    "max_unfinished_bytes": "0",
    "max_pixels": "0",
    "max_side": "-1",
    "disk_reserve_bytes": "-1",
    "max_workers": "0",
    "min_workers": "-1",
    "images_per_job": "-1",
    "lease_batch": "1001",
    "linger_seconds": "-1",
    "sandbox_memory_bytes": "1",
    "executor": "slurm",
    "in_cluster": "perhaps",
    "namespace": "Image Processing",
    "runs_kept": "0",
    "picture_retention_days": "-1",
    "picture_retention_bytes": "-1",
    "log_level": "loud",
    "allowed_origins": "https://gallery.example.org/page",
    "proxy_header": "X Forwarded For",
    "proxies": "0",
    **dict.fromkeys(["url", "web_url", "dagster_url", "grafana_url"], "localhost:3000"),
    **{name: "70000" for name in Settings.model_fields if name.endswith("_port")},
    **{
        name: "soon"
        for name in Settings.model_fields
        if name.endswith(("_seconds", "_days")) and name not in {"linger_seconds", "picture_retention_days"}
    },
}
"""A value for each setting that it cannot have."""

FOR_EXAMPLE = {"token": "0123456789abcdef", "secrets": str(Path(__file__).parent)}
"""Values in the place of examples that are commands, or folders that are elsewhere."""

ANYTHING = {"home", "spool"}
"""Settings that any text may be: a path is looked at when it is used."""


def test_there_is_a_wrong_value_for_every_setting() -> None:
    assert WRONG.keys() | ANYTHING == Settings.model_fields.keys()


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_setting_is_explained_with_a_right_example(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(field), WRONG[field])
    with pytest.raises(ConfigurationError) as error:
        Settings.read()
    [line] = error.value.detail.splitlines()
    info = Settings.model_fields[field]
    assert line.startswith(variable(field))
    assert str(info.description) in line
    assert line.endswith(f"; for example {variable(field)}={example(field)}.")
    assert "Secret" in str(info.annotation) or f"={WRONG[field]}" in line
    monkeypatch.setenv(variable(field), FOR_EXAMPLE.get(field, example(field)))
    Settings.read()


@pytest.mark.parametrize("field", ["trash_days", "run_retention_days", "picture_retention_days"])
@pytest.mark.parametrize("days", ["inf", "nan", "1000000"])
def test_days_that_no_date_can_hold_are_refused(field: str, days: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(field), days)
    with pytest.raises(ConfigurationError, match=variable(field)):
        Settings.read()


class TestExportTargets:
    @pytest.mark.parametrize(
        ("storage", "target"),
        [
            ("s3://bucket/pictures", "s3://bucket/pictures"),
            ("s3://bucket/pictures", "s3://bucket"),
            ("s3://bucket/pictures", "s3://bucket/pictures/exports/"),
            ("s3://bucket/pictures/", "s3://other,s3://bucket/"),
            ("file:///srv/my%20pictures", "file:///srv/my pictures"),
            ("file:///srv/exports/../pictures", "file:///srv/pictures"),
        ],
    )
    def test_a_target_that_could_replace_originals_is_refused(self, storage: str, target: str) -> None:
        with pytest.raises(
            ConfigurationError, match=r"IMAGOMORTIS_EXPORT_TARGETS=.*overlaps with IMAGOMORTIS_STORAGE="
        ):
            Settings.read(storage=storage, export_targets=target)

    def test_a_target_that_could_forge_uploads_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="overlaps with IMAGOMORTIS_SPOOL=s3://bucket/spool"):
            Settings.read(spool="s3://bucket/spool", export_targets="s3://bucket/spool/ready")

    @pytest.mark.parametrize("storage", ["s3://bucket/spool", "s3://bucket", "s3://bucket/spool/ready"])
    def test_a_storage_within_the_spool_is_refused(self, storage: str) -> None:
        with pytest.raises(ConfigurationError, match=r"IMAGOMORTIS_STORAGE=.*overlaps with IMAGOMORTIS_SPOOL="):
            Settings.read(spool="s3://bucket/spool", storage=storage)

    def test_a_link_to_the_storage_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "pictures")
        with pytest.raises(ConfigurationError, match="overlaps"):
            Settings.read(storage=f"file://{tmp_path}/pictures", export_targets=f"file://{tmp_path}/link")

    @pytest.mark.parametrize(
        "target",
        [
            "s3://bucket/a%20b",
            "s3://bucket/a?b",
            "s3://bucket/a#b",
            "s3://bucket/a\\b",
            "s3://bucket/{id}",
            "s3://bucket/a//b",
            "s3://bucket/../b",
            "s3://bucket/a/.",
            "s3://key@bucket",
            "s3://",
            "file:///",
            "file://host/srv",
        ],
    )
    def test_a_target_that_no_recipe_could_name_is_refused(self, target: str) -> None:
        with pytest.raises(ConfigurationError, match="should begin with s3://, gs://, az:// or file:///"):
            Settings.read(export_targets=f"s3://bucket/exports,{target}")

    @pytest.mark.parametrize("storage", ["postgres", "s3://bucket/pictures", "s3://buck", "file:///bucket/exports"])
    def test_a_target_beside_the_storage_is_allowed(self, storage: str) -> None:
        targets = "s3://bucket/exports/,s3://bucket/pictures-exported, gs://other,file:///srv/.my pictures/..a"
        assert Settings.read(storage=storage, export_targets=targets).export_targets == targets


class TestInboxes:
    def test_urls_are_sources_with_the_default_recipe_whose_objects_are_moved(self) -> None:
        found = Settings.read(inboxes="s3://bucket/a/, file:///srv/b/c").inbox_sources
        assert [(each.url, each.recipe, each.take) for each in found] == [
            ("s3://bucket/a", "", Take.MOVE),
            ("file:///srv/b/c", "", Take.MOVE),
        ]
        assert [(each.root, each.folder) for each in found] == [("s3://bucket", "a"), ("file:///srv/b", "c")]

    def test_a_json_list_names_recipe_and_take_of_each_source(self) -> None:
        text = (
            '[{"url": "s3://bucket", "recipe": {"steps": []}, "take": "keep"}, {"url": "gs://b/c", "take": "delete"}]'
        )
        first, second = Settings.read(inboxes=text).inbox_sources
        assert (first.recipe, first.take, first.root, first.folder) == ('{"steps": []}', "keep", "s3://bucket", "")
        assert (second.recipe, second.beside) == ("", ["gs://b/rejected"])

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("[{", "Invalid JSON"),
            ('[{"url": "s3://bucket/a", "take": "copy"}]', "0 take: .*'move', 'delete' or 'keep'"),
            ('[{"url": "s3://bucket/a", "recipes": "circles"}]', "0 recipes: Extra inputs"),
            ("s3://bucket", "is a whole bucket"),
            ("s3://bucket/a%20b", "should begin with"),
        ],
    )
    def test_what_cannot_be_read_is_named(self, text: str, problem: str) -> None:
        with pytest.raises(ConfigurationError, match=f"IMAGOMORTIS_INBOXES=(?s:.*){problem}"):
            Settings.read(inboxes=text)

    @pytest.mark.parametrize(
        ("inboxes", "others", "name"),
        [
            ("s3://bucket/pictures/in", {"storage": "s3://bucket/pictures"}, "IMAGOMORTIS_STORAGE"),
            ("s3://bucket/in", {"storage": "s3://bucket/"}, "IMAGOMORTIS_STORAGE"),
            ("s3://bucket/in", {"storage": "s3://bucket/taken"}, "IMAGOMORTIS_STORAGE"),
            ("s3://bucket/in", {"export_targets": "s3://bucket/in/out"}, "IMAGOMORTIS_EXPORT_TARGETS"),
            ("s3://bucket/in", {"export_targets": "gs://other,s3://bucket/rejected"}, "IMAGOMORTIS_EXPORT_TARGETS"),
            ("file:///srv/spool/inbox", {"spool": "/srv/spool"}, "IMAGOMORTIS_SPOOL"),
            ("file:///srv/home/spool/ready", {"home": "/srv/home"}, "IMAGOMORTIS_SPOOL"),
            ("s3://bucket/spool/ready", {"spool": "s3://bucket/spool"}, "IMAGOMORTIS_SPOOL"),
            ("s3://bucket/in/sub,s3://bucket/in", {}, "another source"),
            ("s3://bucket/in,s3://bucket/taken/x", {}, "the folder"),
            ("s3://bucket/taken", {}, "the folder"),
        ],
    )
    def test_a_source_that_another_part_writes_is_refused(
        self, inboxes: str, others: dict[str, str], name: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=f"IMAGOMORTIS_INBOXES=.*overlaps with {name} "):
            Settings.read(inboxes=inboxes, **others)

    def test_sources_beside_all_others_are_allowed(self) -> None:
        text = "s3://bucket/in,s3://bucket/in2,s3://other/pictures/in"
        settings = Settings.read(inboxes=text, storage="s3://bucket/pictures", export_targets="s3://bucket/exports")
        assert len(settings.inbox_sources) == 3


class TestAccess:
    @pytest.mark.parametrize("token", ["0123456789abcdéf", "0123456789 abcdef", "0123456789;abcdef"])
    def test_a_token_that_fits_in_no_header_is_refused(self, token: str) -> None:
        with pytest.raises(ConfigurationError, match="IMAGOMORTIS_TOKEN"):
            Settings.read(token=token)

    def test_loopback_is_open(self) -> None:
        assert Settings.read().required_token is None

    def test_a_token_is_required_where_one_is_given(self) -> None:
        assert Settings.read(token="0123456789abcdef").required_token == "0123456789abcdef"

    def test_other_machines_need_a_token(self) -> None:
        with pytest.raises(ConfigurationError, match="IMAGOMORTIS_TOKEN"):
            _ = Settings.read(bind="0.0.0.0").required_token

    def test_or_the_explicit_word(self) -> None:
        assert Settings.read(bind="0.0.0.0", access="open").required_token is None

    def test_off_loopback_names_are_checked_once_some_are_allowed(self) -> None:
        assert Settings.read(bind="192.0.2.7", access="open").required_hosts == frozenset()
        named = Settings.read(bind="192.0.2.7", access="open", allowed_hosts="Pictures.lan, pictures")
        assert named.required_hosts >= {"pictures.lan", "pictures", "192.0.2.7", "localhost"}
        assert "evil.example" not in named.required_hosts
        assert Settings.read().required_hosts >= {"localhost", "127.0.0.1", "[::1]"}

    @pytest.mark.parametrize(
        "value", ["*", "null", "gallery.example", "ftp://a", "http://a:b", "http://a:", "http://u@a"]
    )
    def test_a_wrong_origin_is_refused(self, value: str) -> None:
        with pytest.raises(ConfigurationError, match="is not an origin"):
            Settings.read(allowed_origins=f"https://gallery.example,{value}")

    def test_origins(self) -> None:
        settings = Settings.read(allowed_origins="https://gallery.example, http://[::1]:8080,")
        assert settings.origins == {"https://gallery.example", "http://[::1]:8080"}


class TestDatabase:
    def test_none_is_named(self) -> None:
        assert Settings.read().conninfo is None

    def test_by_its_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/pictures")
        assert Settings.read().conninfo == "postgresql://somewhere/pictures"

    def test_by_the_variables_of_libpq(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PGHOST", "somewhere")
        assert Settings.read().conninfo == ""

    def test_its_password_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://user:hunter2@somewhere/pictures")
        assert "hunter2" not in repr(Settings.read())

    @pytest.mark.parametrize("password", ["hunter2%", "hunter2/3", "hunter2:#", "a:b/hunter2"])
    def test_a_password_that_is_not_encoded_is_told_and_not_shown(
        self, password: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", f"postgresql://user:{password}@somewhere/pictures")
        with pytest.raises(ConfigurationError, match="written as %") as error:
            Settings.read()
        assert "hunter2" not in error.value.detail

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://user@/pictures?host=%2Frun&port=5432",
            "postgresql://one:5432,other:5433/pictures?target_session_attrs=primary",
            "postgres://user:%2F%25@[::1]:5432/pictures",
            "host=somewhere dbname=pictures",
        ],
    )
    def test_every_form_that_libpq_reads_is_taken(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", url)
        assert Settings.read().conninfo == url

    def test_another_name_on_the_same_server(self) -> None:
        url = "postgresql://user@/pictures?host=%2Frun"
        assert with_database(url, "pictures_dagster") == "postgresql://user@/pictures_dagster?host=%2Frun"


def test_the_reference_is_current() -> None:
    written = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    assert written == reference(), "run: python -m imagomortis.settings_reference > docs/settings.md"
