"""The commands that people are told to type: on this machine, or into a pod of the namespace that the system is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagomortis.settings import Settings


def namespace_of(settings: Settings) -> str | None:
    """Return the namespace of the cluster in which this process runs; None where it is in none."""
    return settings.namespace if settings.is_in_cluster else None


def to_server(words: str, namespace: str | None) -> str:
    """Return the command for what the API does; the API's own pod reaches it, and has the token."""
    return _typed(words, namespace, "api -- env IMAGOMORTIS_URL=http://localhost:30081")


def to_databases(words: str, namespace: str | None) -> str:
    """Return the command for what works on the databases and the spool; the pusher's pod reaches both."""
    return _typed(words, namespace, "pusher --")


def _typed(words: str, namespace: str | None, where: str) -> str:
    way = f"kubectl -n {namespace} exec deployment/{where} " if namespace else ""
    return f"{way}imagomortis {words}"
