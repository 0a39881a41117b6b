"""The page: self-contained, escaped, well formed, and with the same numbers as the document."""

import re
from html.parser import HTMLParser

import pytest

from kent.report import build, render_html
from kent.report.wording import interval, number
from memory.store import Store
from tests.kent.report.filling import NAMES, add_round

HOSTILE = "<script>alert(1)</script>\"'><img src=https://evil.example/x onerror=alert(2)>&\x1b"
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """All elements of a page with their attributes; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(store: Store) -> Page:
    return Page(render_html(build(store)))


@pytest.mark.parametrize("rounds", [0, 1, 2, 60])
def test_it_is_well_formed_with_any_number_of_rounds(store: Store, rounds: int):
    for _ in range(rounds):
        add_round(store, decision="kept")
    page = page_of(store)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "nan" not in render_html(build(store)).lower().split("<style>")[0]
    if not rounds:
        assert "kent daemon start" in page.text


def test_it_loads_nothing(store: Store):
    for _ in range(2):
        add_round(store, decision="kept", code_version="https://evil.example/x")
    page = page_of(store)
    assert not {"script", "link", "img", "iframe", "object", "image", "use"} & {
        tag for tag, _ in page.elements
    }
    for _, attributes in page.elements:
        assert not any(key in attributes for key in ("src", "xlink:href", "srcset", "action"))
        assert not any(key.startswith("on") for key in attributes)
        assert all("://" not in (value or "") for value in attributes.values())
        assert (attributes.get("href") or "#").startswith("#")
    style = render_html(build(store)).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = [m["content"] for m in page.named("meta") if m.get("http-equiv")]
    assert policy.startswith("default-src 'none'")


def test_stored_text_is_escaped_everywhere(store: Store):
    add_round(store, decision="kept", reason=HOSTILE, problem_set=HOSTILE, code_version=HOSTILE)
    add_round(store, end="failed", error=HOSTILE)
    run = store.begin_stage_run(
        store.open_round(seed=1, config={"profile": HOSTILE}, code_version="0").id, HOSTILE,
        pid=1, pid_start=1.0,
    ).id  # fmt: skip
    store.beat(run, HOSTILE, 1, 2, HOSTILE)
    model = store.begin_model(HOSTILE, {}, generator_id=HOSTILE, parent=None, stage_run_id=run,
                              code_version="0").id  # fmt: skip
    figure = {"<b>metric</b>": build_figure()}
    store.add_evaluation(run, model, HOSTILE, "test", HOSTILE, figure)
    page = page_of(store)
    assert not {"script", "img", "b"} & {tag for tag, _ in page.elements}
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert page.text.count("<script>alert(1)</script>") >= 4
    assert "\x1b" not in page.text


def build_figure():
    from memory.records import Figure

    return Figure(0.5, 0.4, 0.6, 10)


def test_the_tables_hold_every_number_with_its_interval(store: Store):
    for _ in range(3):
        add_round(store)
    document = build(store)
    text = page_of(store).text
    for row in document["rounds"]:
        for name in NAMES:
            unit = "fraction" if name in ("auc_within_problem", "ece") else "percent"
            figure = row["stages"]["critic"][name]
            assert number(figure["value"], unit) in text
            assert interval(figure, unit) in text


def test_an_act_by_hand_stands_in_the_table_and_not_in_the_plots(store: Store):
    for _ in range(2):
        add_round(store, decision="promoted")
    store.promote_by_hand(
        "critic-0001", replacing="critic-0002", decision="rolled_back", reason=HOSTILE
    )
    store.mark_stale("critic-0001", HOSTILE)
    page, html = page_of(store), render_html(build(store))
    table = html.split('<section id="promotions">')[1].split("</section>")[0]
    for piece in ("rolled back by hand", "in place of critic-0002", '<th scope="row"></th>'):
        assert piece in table, piece
    assert "None" not in page.text
    assert "n = 0" not in table
    assert page.text.count("<script>alert(1)</script>") == 2
    for plot in re.findall(r'<svg class="plot".*?</svg>', html, re.S):
        assert plot.count('class="mark') == 2


def test_plots_have_titles_bands_and_promotions(store: Store):
    for decision in ("promoted", "kept", "kept"):
        add_round(store, decision=decision)
    html = render_html(build(store))
    plots = re.findall(r'<svg class="plot".*?</svg>', html, re.S)
    assert len(plots) == 5  # the first in a wide and a narrow shape
    for plot in plots:
        assert 'role="img"' in plot
        assert "<title id=" in plot
        assert "<desc id=" in plot
        assert 'class="band' in plot
        assert plot.count('class="mark promoted"') == 1
        assert plot.count('class="mark kept"') == 2


def test_it_is_made_for_phones_and_both_colour_schemes(store: Store):
    add_round(store)
    page = page_of(store)
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.named(
        "meta"
    )
    assert "prefers-color-scheme: dark" in render_html(build(store))
    tables = len(page.named("table"))
    assert tables == sum((d.get("class") or "") == "scroll" for d in page.named("div"))
    assert tables == len(page.named("caption"))
