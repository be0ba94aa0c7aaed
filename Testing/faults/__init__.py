"""Problems that users of registration programs report in public, tried on this one: ``python -m Testing.faults``."""
