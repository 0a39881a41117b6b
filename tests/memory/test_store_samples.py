"""Problems, samples and verdicts: stored once, read back as they were, joined as labels."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_rows import RECIPE, SANDBOX, add_labelled, problem, sample, sha, verdict

from memory.errors import SplitGuardError, StoreError
from memory.records import SampleRow
from memory.store import Store

RECIPE_ORDER = ("gen", "visible1/v1", "h")

text = st.text(st.characters(codec="utf-8"), max_size=40)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def samples(draw) -> SampleRow:
    return sample(
        draw(st.sampled_from(["p/train", "p/val", "p/test"])),
        draw(st.integers(0, 3)),
        code=draw(text),
        completion=draw(text),
        params=draw(st.dictionaries(text, json_values, max_size=3)),
        seed=draw(st.integers(-(2**63), 2**63 - 1)),
        tokens=draw(st.integers(0, 10_000)),
        logprob=draw(st.none() | st.floats(allow_nan=False)),
    )


def key(row: SampleRow) -> tuple[str, int]:
    return row.problem_id, row.idx


def test_problems_are_read_back_by_split_and_source_ordered_by_id(store: Store):
    rows = [problem("q/2", stub="def f(x):", reference="…"), problem("q/1", "test", tests={"é": 1})]
    assert store.add_problems(rows, "by hand") == 2
    assert store.problems(source="q") == [rows[1], rows[0]]
    assert store.problems(source="q", split="test") == [rows[1]]
    assert [row.id for row in store.problems(split="train")] == ["p/train", "q/2"]


def test_problems_again_change_nothing_and_a_new_statement_is_taken(store: Store):
    assert store.add_problems([problem("p/train")], "by hand") == 0
    assert store.add_problems([problem("p/train", statement="Better.")], "by hand") == 1
    assert store.problems(split="train")[0].statement == "Better."


def test_a_problem_that_changes_its_split_is_refused_with_all_that_came_with_it(store: Store):
    with pytest.raises(SplitGuardError, match=r"p/test \(stored as test, now train\)"):
        store.add_problems([problem("q/1"), problem("p/test", "train")], "another rule")
    assert store.problems(source="q") == []


def test_one_import_with_a_problem_in_two_splits_is_refused(store: Store):
    with pytest.raises(SplitGuardError, match="q/1"):
        store.add_problems([problem("q/1", "train"), problem("q/1", "test")], "by hand")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=st.lists(st.lists(samples(), max_size=6), max_size=4))
def test_samples_come_back_as_the_first_of_their_key_in_order(tmp_path_factory, batches):
    with Store.open(tmp_path_factory.mktemp("state") / "kent.db") as store:
        splits = {"p/train": "train", "p/val": "validation", "p/test": "test"}
        store.add_problems([problem(id, split) for id, split in splits.items()], "by hand")
        round_id = store.open_round(seed=1, config={}, code_version="0").id
        store.begin_stage_run(round_id, "critic", pid=None, pid_start=None)
        expected: dict[tuple[str, int], SampleRow] = {}
        for batch in batches:
            before = len(expected)
            for row in batch:
                expected.setdefault(key(row), row)
            assert store.add_samples(batch) == len(expected) - before
        found = store.unlabelled(splits, *RECIPE_ORDER, "1", "rlimits")
        assert [key(row) for row in found] == sorted(expected)
        assert found == [sample_with_id(expected[key(row)], row.id) for row in found]
        store.add_verdicts([verdict(row) for row in found])
        labelled = store.labelled(**RECIPE, **SANDBOX)
        assert [row.sample for row in labelled] == found
        assert all(row.passed and row.split == splits[row.sample.problem_id] for row in labelled)


def sample_with_id(row: SampleRow, id: int | None) -> SampleRow:
    return SampleRow(**{**vars(row), "id": id})


def test_sample_indexes_names_every_problem_that_was_asked_for(store: Store):
    store.add_samples([sample(idx=0), sample(idx=2), sample(idx=5, params_hash="other")])
    found = store.sample_indexes(["p/train", "p/val"], *RECIPE_ORDER)
    assert found == {"p/train": {0, 2}, "p/val": set()}


def test_a_program_is_judged_once_for_all_its_samples(store: Store):
    twins = [sample(idx=0, code="same"), sample(idx=1, code="same")]
    store.add_samples(twins)
    assert store.add_verdicts([verdict(row, "failed") for row in twins]) == 1
    assert store.add_verdicts([verdict(twins[0], "passed")]) == 0
    labelled = store.labelled(**RECIPE, **SANDBOX)
    assert [row.verdict for row in labelled] == ["failed", "failed"]


def test_a_verdict_counts_for_its_own_tests_version_and_level_only(store: Store):
    row = sample(code="same")
    store.add_samples([row, sample("p/test", code="same")])
    store.add_verdicts([verdict(row)])
    judged = (row.program_hash, sha("p/train"))
    asked = [judged, (row.program_hash, sha("p/test")), (sha("x"), sha("p/train"))]
    assert store.known_verdicts(asked, "1", "rlimits") == {judged}
    assert store.known_verdicts(asked, "2", "rlimits") == set()
    assert store.verdict_words(asked, "1", "rlimits") == {judged: "passed"}
    assert store.verdict_words(asked, "2", "rlimits") == {}
    assert store.known_verdicts(asked, "1", "container") == set()
    left = store.unlabelled(["p/train", "p/test"], *RECIPE_ORDER, "1", "rlimits")
    assert [item.problem_id for item in left] == ["p/test"]


def test_labelled_filters_by_problem_split_source_and_parameters(store: Store):
    for problem_id in ("p/train", "p/val", "p/test"):
        add_labelled(store, problem_id, 1)

    def ids(**filters):
        return [row.sample.problem_id for row in store.labelled(**{**RECIPE, **filters}, **SANDBOX)]

    assert ids() == ["p/test", "p/train", "p/val"]
    assert ids(split="validation") == ["p/val"]
    assert ids(problem_ids=["p/test", "p/none"]) == ["p/test"]
    assert ids(problem_ids=[]) == []
    assert ids(source="q") == []
    assert ids(params_hash=None) == ["p/test", "p/train", "p/val"]
    assert ids(params_hash="other") == []


def test_an_unknown_problem_or_a_verdict_that_is_none_refuses_the_whole_batch(store: Store):
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.add_samples([sample(), sample("p/none")])
    assert store.sample_indexes(["p/train"], *RECIPE_ORDER) == {"p/train": set()}
    rows = [sample(idx=0), sample(idx=1)]
    with pytest.raises(StoreError, match="CHECK"):
        store.add_verdicts([verdict(rows[0]), verdict(rows[1], "not_judged")])
    with pytest.raises(StoreError, match="CHECK"):
        store.add_verdicts([verdict(rows[0], "observed")])
    assert store.query("SELECT * FROM verdicts") == []


def test_output_that_is_no_text_is_kept_readable_and_a_seed_too_big_is_refused(store: Store):
    row = sample()
    store.add_samples([row])
    store.add_verdicts(
        [verdict(row, "error", output_head="\udcff\x00é", failure={"text": "\ud800"})]
    )
    stored = store.query("SELECT output_head, failure FROM verdicts")
    assert stored == [{"output_head": "\\udcff\x00é", "failure": '{"text":"\\ud800"}'}]
    with pytest.raises(StoreError, match="cannot be stored"):
        store.add_samples([sample(idx=1, seed=2**64)])


def test_no_rows_are_no_work(tmp_path: Path, store: Store):
    assert (store.add_samples([]), store.add_verdicts([])) == (0, 0)


def test_programs_are_read_by_their_hashes_once_each(store: Store):
    rows = [sample("p/train", 0, code="a"), sample("p/train", 1, code="a"), sample("p/val", 0)]
    store.add_samples(rows)
    assert store.programs([sha("a"), sha("absent")]) == {sha("a"): "a"}
    assert store.programs([]) == {}


def test_a_problems_samples_are_read_in_their_order(store: Store):
    store.add_samples([sample("p/train", idx) for idx in (2, 0, 1)])
    assert [row.idx for row in store.samples_of("p/train", *RECIPE_ORDER, 2)] == [0, 1]
    assert store.samples_of("p/train", "other", "visible1/v1", "h", 9) == []


def test_outcomes_are_those_of_train_problems_in_earlier_rounds(store: Store):
    rows = [sample("p/train", idx) for idx in range(4)] + [sample("p/val", 0)]
    store.add_samples(rows)
    store.add_verdicts([verdict(rows[0]), verdict(rows[1], "failed"), verdict(rows[2])])
    assert store.outcomes_before(1, *RECIPE_ORDER) == {}
    # The fourth sample has no verdict: it is there, and did not pass.
    assert store.outcomes_before(2, *RECIPE_ORDER) == {"p/train": (4, 2)}
