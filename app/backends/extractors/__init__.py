"""Extractors: what is worth remembering of a conversation, found by rules."""
