"""The sections of what the memory learned and of repairs as diffs."""

from html import escape

from kent.report.figures import Unit
from kent.report.tables import Cell, table
from kent.report.values import Json
from kent.report.wording import NOTHING, clean, interval, number, plural

_ROUNDS = 12
_TEXT = 120  # characters of a pattern or statement
_LINE = 200  # characters of a line of a diff
_DIFF_STYLE = {"+": "add", "-": "del", "@": "hunk"}


def has_learned(learned: Json) -> bool:
    """True where there is anything to show."""
    return any(learned["counts"].values())


def learned_section(learned: Json) -> str:
    """Counts, what the learned order saved, the patterns that worked, the edits that did not."""
    parts = [
        '<section id="learned"><h2>What the memory learned</h2>',
        f'<p class="where">{escape(_counts(learned["counts"]))}</p>',
        _growth(learned["rounds"]),
        _last(learned["last"]),
        _saved(learned["saved"]),
        _ablation(learned["ablation"]),
        _patterns(learned["patterns"]),
        _constraints(learned["constraints"]),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _counts(counts: Json) -> str:
    names = {
        "patterns": "pattern", "pattern_evidence": "fix as evidence", "facts": "fact",
        "constraints": "recorded failure", "observations": "outcome", "repair_pairs": "repair pair",
        "repair_loops": "repair loop", "repairs": "repair",
    }  # fmt: skip
    many = {"pattern_evidence": "fixes as evidence"}
    told = [
        plural(counts[name], word, many.get(name)) for name, word in names.items() if counts[name]
    ]
    return ", ".join(told)


def _growth(rounds: list[Json]) -> str:
    """What was known by the end of the last rounds."""
    known = ("patterns", "evidence", "facts", "attempts", "observations")
    body = [
        [Cell(str(row["round"]), header=True), *(Cell(f"{row[name]:,}") for name in known)]
        for row in reversed(rounds[-_ROUNDS:])
    ]
    head = ["Round", "Patterns", "Seen in fixes", "Facts", "Failures", "Outcomes"]
    return table("Known by the end of each round, the latest first", head, body) if body else ""


def _last(last: Json) -> str:
    """How the repairs of one round went, whoever made them."""
    body = [
        [
            Cell(clean(row["mode"], 60), header=True, small=clean(row["model"], 60)),
            Cell(f"{row['tasks']:,}"),
            _measured(row["repaired"], "percent"),
            _measured(row["candidates_per_repair"], "number"),
            _measured(row["candidates_median"], "number"),
        ]
        for row in last["repairs"]
    ]
    head = ["Mode", "Tasks", "Repaired, %", "Programs for each repaired", "Median of the repaired"]
    return table(f"Repairs of round {last['round']}", head, body) if body else ""


def _saved(saved: Json | None) -> str:
    """Two bars on one scale: the programs that each order ran."""
    if saved is None:
        return ""
    most = max(saved["learned"]["programs"], saved["untrained"]["programs"], 1)
    bars = "".join(
        f'<li><span class="label">{name}</span><span class="track"><span class="fill {style}"'
        f' style="width:{100 * saved[key]["programs"] / most:.2f}%"></span></span>'
        f'<span class="amount">{saved[key]["programs"]:,}</span>'
        f"<small>{_resolved(saved[key]['resolved'])}</small></li>"
        for name, key, style in (("Learned order", "learned", "s1"), ("Untrained order",
                                 "untrained", "s0"))
    )  # fmt: skip
    return (
        f"<h3>Programs run on {plural(saved['tasks'], saved['split'] + ' task')}</h3>"
        '<p class="where">The same candidates in the order that patterns, circuits and constraints '
        "give, and in one that nothing learned has a say in; fewer is better.</p>"
        f'<ul class="bars">{bars}</ul>'
    )


def _resolved(figure: Json) -> str:
    band = interval(figure, "percent")
    return f"{number(figure['value'], 'percent')} % resolved ({band}), n = {figure['n']:,}"


def _ablation(found: Json | None) -> str:
    if found is None:
        return ""
    body = [
        [
            Cell(name, header=True),
            _measured(found[key]["median_candidates"], "number"),
            _measured(found[key]["resolved"], "percent"),
        ]
        for name, key in (("With constraints", "with"), ("Without", "without"))
    ]
    caption = f"What the constraints saved, as the benchmark of round {found['round']} measured it"
    return table(caption, ["Memory", "Median programs to a repair", "Resolved, %"], body)


def _measured(figure: Json, unit: Unit) -> Cell:
    return Cell(number(figure["value"], unit), small=_with_n(interval(figure, unit), figure["n"]))


def _with_n(band: str, n: int) -> str:
    return f"{band}, n = {n:,}" if band else f"n = {n:,}"


def _patterns(rows: list[Json]) -> str:
    if not rows:
        return ""
    body = [
        [
            Cell(_edit(row), header=True, small=_operation(row)),
            Cell(
                number(row["rate"]["value"], "percent"),
                small=_with_n(interval(row["rate"], "percent"), row["rate"]["n"]),
            ),
            Cell(f"{row['contexts']:,}"),
            Cell(f"{row['seen_in_fixes']:,}" if row["seen_in_fixes"] else NOTHING),
        ]
        for row in rows
    ]
    head = ["Pattern", "Success, %", "Kinds of place", "Seen in fixes"]
    return table("Patterns by success in practice, by the lower end of the interval", head, body)


def _edit(row: Json) -> str:
    return clean(row["text"], _TEXT).replace(" -> ", " → ")


def _operation(row: Json) -> str:
    return clean(row["operation"], 40).replace("_", " ")


def _constraints(rows: list[Json]) -> str:
    if not rows:
        return ""
    body = [
        [
            Cell(_edit(row), header=True, small=_operation(row)),
            Cell(f"{row['failures']:,}"),
            Cell(f"{row['contexts']:,}"),
            Cell(f"{row['tasks']:,}"),
        ]
        for row in rows
    ]
    head = ["Edit", "Failed", "Kinds of place", "Tasks"]
    return table("Constraints: edits that only failed, and are tried later since", head, body)


def repairs_section(examples: list[Json]) -> str:
    """Each example as a diff in a box that scrolls by itself."""
    items = "".join(_example(row) for row in examples)
    return (
        '<section id="repairs"><h2>Repairs</h2><p class="where">A failing program (−) and the '
        "passing one most like it (+), of training problems: what repair is learned from. Comments "
        f'are left out.</p><div class="diffs">{items}</div></section>'
    )


def _example(row: Json) -> str:
    how = "made by the repair loop" if row["how"] not in ("", "alike") else "both were sampled"
    said = clean(row["verdict"], 30).replace("_", " ") or "not passed"
    head = f"{clean(row['problem'], 60)} · was: {said} · {how}"
    lines = "".join(
        f'<span class="{_DIFF_STYLE.get(line[:1], "same")}">{escape(_shown(line))}</span>'
        for line in row["diff"]
        if not line.startswith("@")
    )
    return (
        f'<figure class="diff"><figcaption>{escape(clean(row["statement"], _TEXT))}'
        f"<small>{escape(head)}</small></figcaption>"
        f'<pre tabindex="0" role="region" aria-label="diff of {escape(clean(row["problem"], 60))}">'
        f"{lines}</pre></figure>"
    )


def _shown(line: str) -> str:
    """A line with its indentation, and nothing in it that steers or hides."""
    body = line[1:].expandtabs(4)
    indent = len(body) - len(body.lstrip(" "))
    mark = line[:1].replace("-", "−")
    return f"{mark} {' ' * indent}{clean(body, _LINE)}"
