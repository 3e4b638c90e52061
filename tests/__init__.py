"""Tests of every part; run with pytest from the root of the repository."""
