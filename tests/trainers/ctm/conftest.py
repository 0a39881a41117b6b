"""A small vocabulary and a small data set, made once of the standard library."""

import sysconfig
from pathlib import Path

import pytest

from trainers.ctm.data import corpus
from trainers.ctm.data.build import build
from trainers.ctm.data.corpus import STANDARD_LIBRARY, Package
from trainers.ctm.data.grid import CTMGridEncoder
from trainers.ctm.data.make import BuildOptions
from trainers.ctm.data.program import Program
from trainers.ctm.data.tokenizer import CodeTokenizer

LIBRARY = Path(sysconfig.get_path("stdlib"))
TEXT = """
argparse ast bdb calendar cmd codecs configparser copy csv dataclasses datetime difflib dis enum
fileinput fractions functools gettext glob gzip heapq inspect ipaddress json/decoder json/encoder
mailbox netrc numbers optparse pathlib pdb pickle plistlib pprint queue random sched shelve shlex
shutil smtplib socket statistics string tarfile tempfile textwrap threading timeit trace traceback
turtle typing urllib/parse urllib/request uuid weakref zipfile
"""
NAMES = TEXT.split()


def packages() -> list[Package]:
    """The library cut into packages, so that some can be held out."""
    parts = {f"package{i}": NAMES[i::16] for i in range(16)}
    return [
        Package(name, "3", "PSF-2.0", LIBRARY, tuple(f"{one}.py" for one in files))
        for name, files in parts.items()
    ]


@pytest.fixture(scope="session")
def library_functions() -> list[corpus.Found]:
    files = tuple(f"{name}.py" for name in NAMES)
    package = Package(STANDARD_LIBRARY, "3", "PSF-2.0", LIBRARY, files)
    return [found for path in files for found in corpus.functions(package, path)]


@pytest.fixture(scope="session")
def tokenizer(library_functions) -> CodeTokenizer:
    return CodeTokenizer.train((Program.of(f.code).values for f in library_functions), 2048)


@pytest.fixture(scope="session")
def encoder(tokenizer) -> CTMGridEncoder:
    return CTMGridEncoder(tokenizer)


OPTIONS = BuildOptions(samples=360, held_out=40, vocabulary=2048, shard=120, seed=3)


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("ctm") / "data"
    build(out, OPTIONS, packages())
    return out
