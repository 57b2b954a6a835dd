"""Imported first by app.py: while hundreds of modules load nothing becomes garbage, and looking for
it takes a quarter of the start. `loaded` starts the collector again.
"""

import gc

gc.disable()


def refuse_preload(files_url: str, arguments: list[str]) -> None:
    """A store of files (S3) is asked while the application loads, and the threads of its client do
    not survive a fork: the web processes would wait for ever for their first file. Raises
    SystemExit with what to do.
    """
    if files_url and "--preload" in arguments:
        raise SystemExit(
            "gunicorn --preload cannot be used with COMPTOIR_FILES_URL: take --preload off."
        )


def loaded() -> None:
    """Everything is imported: what lives now lives as long as the process, and is looked at no
    more.
    """
    gc.freeze()
    gc.enable()
