"""Prices of the resources of any Pulumi program, by the billing functions that price a plan."""
