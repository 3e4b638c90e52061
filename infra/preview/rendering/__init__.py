"""A preview's result for people: in a terminal, in a pull request's comment, on a page."""
