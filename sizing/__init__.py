"""From users and memories to a tier, a sized plan and a bill: offline, in seconds.

``sizing`` depends on nothing else of this distribution and never on a network.
"""
