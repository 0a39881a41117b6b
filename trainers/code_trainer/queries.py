"""An issue as weighted queries: what it says in its title, prose, code, names and errors."""

import math
from collections import Counter
from collections.abc import Iterable

from trainers.code_trainer.issue import Issue
from trainers.code_trainer.tokens import identifiers, pair_codes, stem, tokens

Query = dict[str, float]

QUERIES = ("all", "title", "prose", "code", "names", "errors")
_TITLE_WEIGHT = 3.0  # a word of the title counts as often in the query of everything
_MOST_TERMS = 600  # of one query: the most frequent; a longer text is a log


def weighted_queries(issue: Issue) -> dict[str, Query]:
    """Weight by stem for each of ``QUERIES``; weights grow with the logarithm of the count."""
    names = " ".join((*issue.names, *(part for name in issue.dotted for part in name.split("."))))
    everything: Counter[str] = Counter()
    for text, weight in ((issue.title, _TITLE_WEIGHT), (issue.prose, 1.0), (issue.code, 1.0)):
        for token, count in Counter(tokens(text)).items():
            everything[token] += count * weight  # type: ignore[assignment]
    return {
        "all": _query(everything),
        "title": _query(Counter(tokens(issue.title))),
        "prose": _query(Counter(tokens(issue.prose))),
        "code": _query(Counter(tokens(issue.code))),
        "names": _query(Counter(tokens(names))),
        "errors": _query(Counter(tokens("\n".join(issue.errors)))),
    }


def issue_pairs(issue: Issue) -> list[int]:
    """The codes of neighbouring identifiers in title, prose, code and error messages."""
    texts: Iterable[str] = (issue.title, issue.prose, issue.code, *issue.errors)
    return sorted({code for text in texts for code in pair_codes(identifiers(text))})


def _query(counts: Counter[str]) -> Query:
    query: Query = {}
    for token, count in counts.most_common(_MOST_TERMS):
        stemmed = stem(token)
        query[stemmed] = query.get(stemmed, 0.0) + 1.0 + math.log(count)
    return query
