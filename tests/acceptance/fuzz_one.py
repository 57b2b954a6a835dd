"""One parser under atheris: `python -m tests.acceptance.fuzz_one NAME -runs=500000`. Ends with
status 77 and the bytes when it finds something.
"""

import sys

import atheris

with atheris.instrument_imports(include=["services", "gateways", "portal"]):
    from tests.acceptance import fuzz

target, seeds = fuzz.TARGETS[sys.argv[1]]
corpus = fuzz.FOLDER / "corpus"
corpus.mkdir()
for number, seed in enumerate(seeds):
    (corpus / f"seed{number}").write_bytes(seed)
atheris.Setup(
    [
        sys.argv[0],
        *sys.argv[2:],
        f"-artifact_prefix={fuzz.FOLDER}/",
        "-max_len=4096",
        "-timeout=20",
        "-rss_limit_mb=1500",
        str(corpus),
    ],
    target,
)
atheris.Fuzz()
