"""Records and files in the form of the real ones."""

import json


def mbpp_record(number, **changes):
    return {
        "task_id": number,
        "text": f"Write a function to add {number} to a number.",
        "code": f"def add(x):\r\n  return x + {number}",
        "test_setup_code": "",
        "test_list": [f"assert add({n}) == {n + number}" for n in range(3)],
        "challenge_test_list": [],
    } | changes


def write_lines(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path
