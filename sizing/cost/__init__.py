"""From a plan's charges to a report that can be defended: list prices beside planning figures."""
