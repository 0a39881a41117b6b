"""The page in a real browser, where one is installed: nothing overflows, nothing complains."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kent.report import build, render_html
from memory.store import Store
from tests.kent.report.chromium import BROWSER, Chromium
from tests.kent.report.filling import add_round
from tests.kent.report.learning import add_learned

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no chromium, chromium-browser or google-chrome on the PATH"
)
LONG = "<script>alert(1)</script>" + "w" * 400
GROUND = "getComputedStyle(document.body).backgroundColor"
# What sticks out of the page and is in no box that scrolls by itself.
STICKING_OUT = """[...document.querySelectorAll("body *")].filter(e =>
  e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre, svg")
).map(e => e.tagName + "." + e.className)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as opened:
        yield opened


@pytest.fixture
def page(store: Store, tmp_path: Path) -> str:
    """The address of a report with every section, some of its text long and hostile."""
    for number in range(3):
        add_round(store, decision="promoted" if number == 0 else "kept", paired=True, reason=LONG,
                  problem_set=LONG, code_version=LONG, samples=number == 0)  # fmt: skip
    add_learned(store, 1, LONG)
    add_round(store, end="failed", error=LONG)
    file = tmp_path / "report.html"
    file.write_text(render_html(build(store)), encoding="utf-8")
    return file.as_uri()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_or_complains(browser: Chromium, page: str, width: int, scheme: str):
    browser.complaints.clear()
    browser.shape(width, 900, scheme)
    browser.open(page)
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(STICKING_OUT) == []
    assert browser.evaluate("document.querySelectorAll('section').length") >= 6
    assert browser.complaints == []


def test_colours_follow_the_system_and_the_choice(browser: Chromium, page: str):
    browser.complaints.clear()
    grounds = {}
    for scheme in ("light", "dark"):
        browser.shape(1280, 900, scheme)
        browser.open(page)
        grounds[scheme] = browser.evaluate(GROUND)
        for choice in ("dark", "light"):
            browser.evaluate(f"document.querySelector('label[for=theme-{choice}]').click()")
            grounds[scheme, choice] = browser.evaluate(GROUND)
        browser.evaluate("document.querySelector('label[for=theme-auto]').click()")
        assert browser.evaluate(GROUND) == grounds[scheme]
    assert grounds["light"] == grounds["light", "light"] == grounds["dark", "light"]
    assert grounds["dark"] == grounds["dark", "dark"] == grounds["light", "dark"]
    assert grounds["light"] != grounds["dark"]
    assert browser.complaints == []


def test_text_can_be_read_in_both_schemes(browser: Chromium, page: str):
    """The contrast that WCAG 2.2 asks of text, 4.5 to 1, for every kind of word on the page."""
    for scheme in ("light", "dark"):
        browser.shape(1280, 900, scheme)
        browser.open(page)
        assert browser.evaluate(CONTRAST) == []


# Each kind of text once: its colour against the first ground beneath it that is not clear.
CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = c => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c;
                     canvas.fillRect(0, 0, 1, 1);
                     return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = c => { const [r, g, b] = rgb(c).map(v => v / 255).map(v =>
      v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor; if (rgb(c)[3] > 200) return c; }
      return "white"; };
  const low = new Set();
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    if (e.closest("title, desc, [aria-hidden]")) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(e.closest("svg") ? style.fill : style.color), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.add(`${e.tagName}.${e.getAttribute("class")} ${ratio.toFixed(2)}`);
  }
  return [...low];
})()"""
