"""How decoders are confined here."""

from __future__ import annotations

import pytest

from imagomortis.sandbox import sandbox
from imagomortis_cli.doctor.finding import Level
from tests.imagomortis.sandbox.test_confinement import has_landlock
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import only


class TestSandbox:
    def test_the_layers_in_force_are_named(self, look: Look) -> None:
        found = only(look("sandbox"), Level.FINE if has_landlock() else Level.NOTICE)
        assert "no_new_privs, capabilities" in found.text
        assert "seccomp" in found.text

    def test_a_missing_layer_is_named_with_its_cause(self, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sandbox, "CHILD", "tests.imagomortis.sandbox.old_kernel")
        found = only(look("sandbox"), Level.NOTICE)
        assert "by no_new_privs, capabilities, seccomp; this kernel lacks landlock (" in found.text
        assert "Function not implemented" in found.text
