"""Mutation operators: every kind makes bugs, and the edits of a bug repair it."""

from random import Random

import pytest

from trainers.ctm.data.augment import renamed, requoted
from trainers.ctm.data.difficulty import quantiles, rank, raw_difficulty
from trainers.ctm.data.edits import remaining
from trainers.ctm.data.operators import security
from trainers.ctm.data.operators.function import Function
from trainers.ctm.data.operators.mutate import Mutator
from trainers.ctm.data.program import Program, repair_script, repaired
from trainers.ctm.data.sample import Facts
from trainers.ctm.data.taxonomy import KINDS, expand, kind_of
from trainers.ctm.data.validate import RejectedError, check_codes, folded, pair_sample

RICH = '''def rich(self, items, limit, first=0, last=None):
    """Does a little of everything."""
    total, seen, out = 0, set(), []
    for i in range(1, len(items) + 1):
        if items[i - 1] < limit and first <= total:
            total += items[i - 1] * 2
            out.append(items[i:limit])
        elif not seen or last is None:
            seen.add(i)
            break
        else:
            continue
    value = min(total - first, max(limit, first))
    if last == "low":
        value = -value
        kind = "low"
    else:
        kind = "high"
    if value in seen:
        return None
    if last:
        return
    with self.lock:
        self.count = value
    try:
        self.store.put(kind, value, strict=True, default=first)
        self.store.get(str(value).strip(), fallback=False)
    except KeyError:
        raise ValueError("low" if total > limit else "high")
    pair = [first, value, limit]
    return sorted(pair) + self.other(kind)
'''
CLASSES = ("syntax", "simple_logic", "all_logic", "security")


def checked(mutant, bug_class, encoder):
    try:
        check_codes(bug_class, folded(mutant.buggy), folded(mutant.fixed))
        facts = Facts(bug_class, mutant.kind, "test")
        return pair_sample(Program.of(mutant.buggy), Program.of(mutant.fixed), encoder, facts)
    except RejectedError:
        return None


def shown(state):
    """A program as the pieces of its lexemes."""
    return [state.pieces[word] for word in state.words]


@pytest.fixture(scope="module")
def samples(encoder):
    found = {}
    for seed in range(3):
        for bug_class in CLASSES:
            for mutant in Mutator(Function(RICH), Random(seed)).draw(bug_class, 150):
                sample = checked(mutant, bug_class, encoder)
                if sample is not None:
                    found.setdefault(mutant.kind, []).append((mutant, sample))
    return found


def test_every_kind_makes_bugs_that_stand_the_checks(samples):
    templates = {template.name for template in security.TEMPLATES}
    assert set(samples) >= (set(KINDS) - {"lint", "mined", "clean"}) | templates


def test_the_edits_of_every_kind_repair_it(samples, encoder):
    for pairs in samples.values():
        for mutant, sample in pairs[:10]:
            fixed = Program.of(mutant.fixed)
            buggy = Program.of(mutant.buggy)
            script = repair_script(buggy, fixed)
            assert 1 <= len(script) == len(sample.edit_at) <= 8
            text = repaired(buggy, script).render()
            assert Program.of(text).values == fixed.values
            assert folded(text) == folded(mutant.fixed)
            if mutant.kind not in ("quote_missing", "quote_wrong"):
                pieces = [encoder.tokenizer.pieces(value) for value in fixed.values]
                assert shown(sample.repaired()) == pieces


def test_edits_may_be_made_last_to_first(samples):
    for pairs in samples.values():
        for _, sample in pairs[:3]:
            if len({edit.at for edit in sample.edits}) < len(sample.edits):
                continue  # insertions at one place have an order
            state, left = sample.state(), sample.edits
            while left:
                state, left = state.apply(left[-1]), remaining(left, len(left) - 1)
            assert state == sample.repaired()


def test_some_bugs_need_several_edits(samples):
    for kind in ("misused_twice", "bounds", "range_and_index", "flipped_comparisons", "two_bugs"):
        assert max(len(sample.edit_at) for _, sample in samples[kind]) >= 2


def test_library_functions_give_bugs_of_all_classes(library_functions, encoder):
    made = dict.fromkeys(CLASSES, 0)
    tried = dict.fromkeys(CLASSES, 0)
    for number, found in enumerate(library_functions[::12]):
        mutator = Mutator(Function(found.code), Random(number))
        for bug_class in CLASSES:
            for mutant in mutator.draw(bug_class, 1):
                tried[bug_class] += 1
                made[bug_class] += checked(mutant, bug_class, encoder) is not None
    for bug_class in CLASSES:
        assert made[bug_class] > 0.5 * tried[bug_class] > 20


@pytest.mark.parametrize(
    ("bug_class", "buggy", "fixed", "reason"),
    [
        ("syntax", "x = 1\n", "x = 2\n", "compiles"),
        ("other", "x = (\n", "x = 2\n", "does not compile"),
        ("other", "x = 2\n", "x = (\n", "fixed does not compile"),
        ("other", "x  =  1 + 1\n", "x = 2\n", "the same program"),
    ],
)
def test_a_pair_that_is_not_what_it_says_is_rejected(bug_class, buggy, fixed, reason):
    with pytest.raises(RejectedError, match=f"^{reason}$"):
        check_codes(bug_class, folded(buggy), folded(fixed))


@pytest.mark.parametrize(
    ("buggy", "fixed", "reason"),
    [
        ("x = 1  # a\n", "x = 1\n", "the same lexemes"),
        ("x = 1\n", "x = f(1, 2, 3, 4, 5)\n", "too many edits"),
        ("x = 1\n", "x = zqxjk_unheard_of\n", "unreachable"),
        ("x = 1\n" * 70, "x = 1\n" * 69 + "x = 2\n", "fixed does not fit: rows"),
    ],
)
def test_a_pair_without_a_reachable_repair_is_rejected(encoder, buggy, fixed, reason):
    with pytest.raises(RejectedError, match=f"^{reason}$"):
        pair_sample(Program.of(buggy), Program.of(fixed), encoder, Facts("other", "mined", "test"))


def test_bandit_tells_the_unsafe_form_of_every_template_and_no_safe_one():
    assert security.verify() == []
    broken = security.Template("same", "B602", 78, "subprocess", "{r} = {a}", "{r} = {a}")
    assert security.verify([broken]) == ["same"]


def test_a_renamed_function_is_the_same_but_for_its_locals(library_functions):
    changed = 0
    for number, found in enumerate(library_functions[::10]):
        after = renamed(found.code, Random(number))
        changed += after != found.code
        one, two = folded(found.code), folded(after)
        assert _without_names(one) == _without_names(two)
        assert folded(requoted(found.code)) == one
    assert changed > 50


def _without_names(key):
    """Bytecode and attribute names of all nested code; locals may have other names."""
    name, code, constants, names, counts, exceptions = key
    inner = [
        _without_names(c) if len(c) == 6 else c for c in constants if len(c) == 6 or c[0] != "tuple"
    ]
    return (
        name,
        code if not names[2] and not names[3] else len(code),
        inner,
        names[0],
        counts,
        exceptions,
    )


def test_harder_bugs_have_a_higher_figure_and_ranks_are_shares():
    sound = Program.of(RICH)
    easy = Program.of(RICH.replace("break", "break:"))
    hard = Program.of(RICH.replace("self.count = value", "pass"))

    def raw(buggy, kind, bug_class):
        return raw_difficulty(buggy, repair_script(buggy, sound), kind_of(kind, bug_class))

    assert raw(easy, "colon_missing", "syntax") < raw(hard, "missing_statement", "all_logic") <= 1
    assert raw_difficulty(sound, [], KINDS["clean"]) == 0
    pool = quantiles(i / 1000 for i in range(1000))
    assert [round(rank(x, pool), 2) for x in (-1, 0.25, 0.5, 2)] == [0, 0.25, 0.5, 1]


def test_all_logic_means_simple_logic_too():
    assert expand(["all_logic"]) == ("simple_logic", "all_logic")
    assert "security" in expand(["all"])
    with pytest.raises(ValueError, match="no bug class"):
        expand(["logic"])
