"""Many pairs: registered on as many workers as there are, none twice, each one's failure its own.

Imports nothing, so that a worker is there at once (:mod:`.ignore_interrupt` is loaded into each); begin at :mod:`.run`.
"""
