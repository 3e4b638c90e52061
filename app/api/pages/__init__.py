"""Pages for people: the front page and the reference. They load nothing from anywhere and run no script."""
