"""The report as one self-contained page: no network, all stored text escaped, no script."""

from html import escape
from importlib.resources import files

from kent.report import sections, summary
from kent.report.learned_section import has_learned, learned_section, repairs_section
from kent.report.overview import overview_section
from kent.report.resources_section import resources_section
from kent.report.values import Json
from kent.report.views import view_of
from kent.report.wording import clean, moment

# Nothing may be loaded or run, whatever text a store holds.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
# The live page runs its own script, which asks only the server that it came from.
LIVE_POLICY = f"{_POLICY}; script-src 'self'; connect-src 'self'"

# The choice of colours is the style's alone: radio buttons that it looks at.
_THEME = (
    '<fieldset class="theme"><legend>Colours</legend>'
    '<input type="radio" name="theme" id="theme-auto" checked><label for="theme-auto">Auto</label>'
    '<input type="radio" name="theme" id="theme-light"><label for="theme-light">Light</label>'
    '<input type="radio" name="theme" id="theme-dark"><label for="theme-dark">Dark</label>'
    "</fieldset>"
)


def render_html(document: Json, *, live: bool = False) -> str:
    """The whole page; it can be saved, mailed and opened without a network.

    A ``live`` one has the script of :mod:`kent.report.serve`, which must be there to serve it.
    """
    policy = LIVE_POLICY if live else _POLICY
    script = '<script src="/live.js" defer></script>\n' if live else ""
    style = files("kent.report").joinpath("page.css").read_text(encoding="utf-8")
    body = "\n".join(_body(document))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(_title(document))}</title>\n<style>\n{style}</style>\n{script}</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _title(document: Json) -> str:
    count = len(document["rounds"])
    return "KENT report" + (f", {count} round{'' if count == 1 else 's'}" if count else "")


def _body(document: Json) -> list[str]:
    stages = summary.stage_names(document)
    parts = [_header(document), "<main>"]
    if not document["rounds"]:
        parts.append(f'<p class="empty">{_coded(summary.EMPTY)}</p>')
    else:
        parts.append(overview_section(document))
    for stage in stages:
        parts.append(sections.stage_section(document, stage))
    if has_learned(document["learned"]):
        parts.append(learned_section(document["learned"]))
    if document["repairs"]:
        parts.append(repairs_section(document["repairs"]))
    if document["promotions"]:
        parts.append(sections.promotions_section(document["promotions"]))
    if document["resources"]["by_stage"]:
        parts.append(resources_section(document["resources"]))
    if document["rounds"]:
        parts.append(sections.totals_section(document["totals"]))
        parts.append(sections.rounds_section(document))
    return [*parts, "</main>", _footer(document)]


def _header(document: Json) -> str:
    running = document["running"]
    live = running is not None and (running["heartbeat_age_s"] or 0) <= summary.STALE_S
    state = "live" if live else "stale" if running else "idle"
    headline = summary.headline(document)
    links = "".join(
        f'<a href="#{anchor}">{escape(text)}</a>' for anchor, text in _anchors(document)
    )
    bar = _progress(running) if running else ""
    return (
        f"<header>{_THEME}<h1>KENT report</h1>"
        f'<p class="when">{moment(document["generated_at"])} UTC</p>'
        f'<p class="state {state}"><span class="lamp" aria-hidden="true"></span>'
        f"<span>{_coded(summary.running_text(running))}</span></p>{bar}"
        + (f'<p class="headline">{escape(headline)}</p>' if headline else "")
        + (f'<nav aria-label="Sections">{links}</nav>' if links else "")
        + "</header>"
    )


def _anchors(document: Json) -> list[tuple[str, str]]:
    """The sections to jump to."""
    if not document["rounds"]:
        return []
    found = [
        (f"stage-{index}", clean(view_of(stage).title, 40))
        for index, stage in enumerate(summary.stage_names(document))
    ]
    found += [("learned", "Memory")] if has_learned(document["learned"]) else []
    found += [("repairs", "Repairs")] if document["repairs"] else []
    found += [("promotions", "Promotions")] if document["promotions"] else []
    found += [("resources", "Resources")] if document["resources"]["by_stage"] else []
    return [*found, ("totals", "Totals"), ("rounds", "Rounds")]


def _progress(running: Json) -> str:
    if not running["total"]:
        return ""
    return (
        f'<progress max="{running["total"]}" value="{running["done"]}"'
        ' aria-label="progress of the phase"></progress>'
    )


def _footer(document: Json) -> str:
    versions = list(dict.fromkeys(row["code_version"] for row in document["rounds"]))
    last = f"Code of the last round: {escape(clean(versions[-1], 60))}. " if versions else ""
    return (
        f"<footer><p>{last}Intervals are 95 % ones. Every figure is a query on the store; "
        "<code>kent report --json</code> gives all of them with the rows they came from."
        "</p></footer>"
    )


def _coded(text: str) -> str:
    """Escaped text with `words in backticks` as code."""
    pieces = escape(text).split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))
