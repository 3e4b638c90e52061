"""Serving a provider to the engine, as the product's own plugins do it."""

from infra.preview.offline.serving import serve

__all__ = ["serve"]
