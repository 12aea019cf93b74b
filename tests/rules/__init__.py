"""Rules of the house, read from the sources themselves: they fail when a wall is broken."""
