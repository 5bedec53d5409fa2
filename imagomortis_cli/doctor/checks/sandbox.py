"""Checks that decoding processes can be confined here: on this machine, or in this pod."""

from __future__ import annotations

from collections.abc import Iterator

from imagomortis.picture.header import Limits
from imagomortis.sandbox.confinement import LAYERS
from imagomortis.sandbox.sandbox import Sandbox
from imagomortis_cli.doctor.finding import Finding, fine, notice
from imagomortis_cli.doctor.site import Site


def check(site: Site) -> Iterator[Finding]:
    """Start one, which reports the layers that it lacks."""
    with Sandbox(Limits(), site.settings.sandbox_memory_bytes, site.settings.sandbox_seconds) as sandbox:
        missing = sandbox.missing
    held = [layer for layer in LAYERS if layer not in missing]
    if missing:
        why = "; ".join(f"{layer} ({cause})" for layer, cause in missing.items())
        yield notice(
            f"Decoders are confined by {', '.join(held) or 'their limits only'}; this kernel lacks {why}.",
            "run on Linux 5.13 or newer with Landlock and seccomp (`cat /sys/kernel/security/lsm`)",
        )
    else:
        yield fine(f"Decoders are confined by {', '.join(held)}.")
