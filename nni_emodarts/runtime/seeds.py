"""Seeds: what the generators of all libraries take."""

LARGEST_SEED = 2**32 - 1
"""numpy takes none that is larger."""
