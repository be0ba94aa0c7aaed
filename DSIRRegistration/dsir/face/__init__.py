"""The engine as most programs use it; :mod:`dsir` itself offers what is in here."""
