"""The Slicer side: MRML nodes in, MRML nodes out.

``nodes`` knows how MRML and the engine's files say the same things; ``logic`` is the programming interface;
``worker`` runs the engine in a process of its own; ``widget`` is the panel. The application itself (layout,
slice views) is touched in ``views`` alone. Torch is never imported into the application's process by a registration.
"""
