"""Imported first by app.py: while hundreds of modules load nothing becomes garbage, and looking for
it takes a quarter of the start. `loaded` starts the collector again.
"""

import gc

gc.disable()


def loaded() -> None:
    """Everything is imported: what lives now lives as long as the process, and is looked at no
    more.
    """
    gc.freeze()
    gc.enable()
