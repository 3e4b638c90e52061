"""Constants of time and size that every formula shares."""

HOURS_PER_MONTH = 730
"""Hours billed in a month: the convention of AWS's price pages and of Infracost."""

SECONDS_PER_MONTH = HOURS_PER_MONTH * 3600
DAYS_PER_MONTH = HOURS_PER_MONTH / 24

BYTES_PER_KB = 1_000
BYTES_PER_MB = 1_000_000
BYTES_PER_GB = 1_000_000_000
"""Decimal units, as in the requirements' tables; a GiB-billed price errs by up to 7 % against them."""
