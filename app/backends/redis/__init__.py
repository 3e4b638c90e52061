"""Redis or Valkey: what nodes share for speed and for limits. Nothing in it is missed when it is lost."""
