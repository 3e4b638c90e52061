"""Dumps and exports of other memory software, as lines that an import reads."""

from app.service.foreign.formats import AUTO, FORMATS, MOST_BYTES, REME, Converted, convert, looks_like_ours

__all__ = ["AUTO", "FORMATS", "MOST_BYTES", "REME", "Converted", "convert", "looks_like_ours"]
