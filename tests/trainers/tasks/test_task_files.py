"""A broken data file is refused with its name, its line and what to do."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.errors import TaskError
from trainers.tasks.files import find_file, read_records

FIELDS = {"task_id": int, "text": str}
GOOD = b'{"task_id": 1, "text": "one"}\n'

BROKEN = {
    "not JSON": (GOOD + b'{"task_id": 2, "te', r"line 2: not JSON .* fetch the file again"),
    "no object": (GOOD + b"[1]\n", r"line 2: a JSON object is wanted, not list"),
    "lacks a field": (GOOD + b'{"task_id": 2}\n', r"line 2: lacks text \(it has task_id\)"),
    "wrong type": (b'{"task_id": "1", "text": ""}', r"line 1: task_id is to be int, not str"),
    "true is no number": (b'{"task_id": true, "text": ""}', r"task_id is to be int, not bool"),
    "twice": (GOOD + b"\n" + GOOD, r"line 3: task_id 1 is in line 1 already; remove one"),
    "latin-1": (GOOD + b'{"text": "caf\xe9"}', r"line 2: not UTF-8 at byte 14; save the file"),
    "utf-16": (GOOD.decode().encode("utf-16"), r"line 1: not UTF-8 at byte 1"),
    "empty": (b"\n \n", r"is empty; fetch it again"),
    "deep": (b"[" * 200_000, r"line 1: not usable JSON"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_one_line(tmp_path, name):
    content, message = BROKEN[name]
    path = tmp_path / "set.jsonl"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=message) as caught:
        read_records(path, FIELDS, key="task_id")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [gzip.compress(GOOD)[:-9], GOOD, b""])
def test_a_cut_or_false_gzip_file_is_refused(tmp_path, content):
    path = tmp_path / "set.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=r"no whole gzip file|is empty"):
        read_records(path, FIELDS, key="task_id")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(TaskError, match="cannot be read: Is a directory"):
        read_records(tmp_path, FIELDS, key="task_id")


def test_plain_and_packed_say_the_same(tmp_path):
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n"))
    packed.write_bytes(gzip.compress(GOOD))
    records = [{"task_id": 1, "text": "one"}]
    assert read_records(plain, FIELDS, key="task_id") == records
    assert read_records(packed, FIELDS, key="task_id") == records
    assert find_file(tmp_path, "a") == plain
    assert find_file(tmp_path, "b") == packed
    assert find_file(tmp_path, "c") is None


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_records_or_a_task_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "set.jsonl"
    path.write_bytes(content)
    try:
        assert read_records(path, FIELDS, key="task_id")
    except TaskError as error:
        assert str(path) in str(error)
