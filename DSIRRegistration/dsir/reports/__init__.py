"""Pages a person reads."""
