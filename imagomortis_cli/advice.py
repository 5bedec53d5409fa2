"""Builds the commands that people are told to type, on this machine or in a pod of the installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagomortis.settings import Settings


def namespace_of(settings: Settings) -> str | None:
    """Return the Kubernetes namespace in which this process runs; None outside a cluster."""
    return settings.namespace if settings.is_in_cluster else None


def to_server(words: str, namespace: str | None) -> str:
    """Return a command that uses the API. In a cluster it runs in the API's pod, which has the token."""
    return _typed(words, namespace, "api -- env IMAGOMORTIS_URL=http://localhost:30081")


def to_databases(words: str, namespace: str | None) -> str:
    """Return a command that uses databases and spool. In a cluster it runs in the pusher's pod, which reaches both."""
    return _typed(words, namespace, "pusher --")


def _typed(words: str, namespace: str | None, where: str) -> str:
    way = f"kubectl -n {namespace} exec deployment/{where} " if namespace else ""
    return f"{way}imagomortis {words}"
