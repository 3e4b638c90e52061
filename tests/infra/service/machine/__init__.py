"""A machine that rendered user data are carried out on."""
