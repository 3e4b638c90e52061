"""Embedders: a local model that runs on the CPU, and a hashing one without weights."""
