"""A network that proposes a whole displacement field in one pass, for the descent to begin from."""
