"""Whether the settings make sense."""

from __future__ import annotations

from imagomortis_cli.doctor.finding import Level
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import only


class TestConfiguration:
    def test_valid_settings(self, look: Look) -> None:
        assert "only this machine" in only(look("configuration"), Level.FINE).text

    def test_a_name_that_is_no_setting(self, look: Look) -> None:
        found = only(look("configuration", IMAGOMORTIS_MAX_WORKRES="3"))
        assert "IMAGOMORTIS_MAX_WORKRES" in found.text
        assert found.mend == "name it IMAGOMORTIS_MAX_WORKERS"

    def test_a_door_that_needs_a_token(self, look: Look) -> None:
        assert "IMAGOMORTIS_TOKEN" in only(look("configuration", IMAGOMORTIS_BIND="0.0.0.0")).text

    def test_a_pod_that_is_given_no_token_as_it_has_no_door(self, look: Look) -> None:
        only(look("configuration", IMAGOMORTIS_BIND="0.0.0.0", IMAGOMORTIS_EXECUTOR="kubernetes"), Level.FINE)

    def test_a_door_that_is_open_to_everybody(self, look: Look) -> None:
        found = only(look("configuration", IMAGOMORTIS_BIND="0.0.0.0", IMAGOMORTIS_ACCESS="open"), Level.NOTICE)
        assert "Everybody" in found.text
