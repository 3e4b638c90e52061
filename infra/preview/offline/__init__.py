"""Provider plugins that answer the engine without credentials and without a network.

They say what a cloud would be asked for, and what would force a replacement; what only a cloud can know is made up and
marked as such.
"""
