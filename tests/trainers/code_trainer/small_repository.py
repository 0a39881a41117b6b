"""A repository small enough to read, with issues whose fix is known: real texts, no mock."""

from collections.abc import Mapping

from trainers.code_trainer.index import RepositoryIndex
from trainers.code_trainer.view import TreeView
from trainers.tasks.swe.types import SWETask

FILES = {
    "shop/__init__.py": "",
    "shop/prices.py": '''"""Prices and discounts."""
RATE = 0.19


def add_tax(price):
    """Add the value added tax to a price."""
    return price * (1 + RATE)


class DiscountRule:
    """A rule that lowers prices."""

    percent = 10

    def apply_discount(self, price):
        return price - price * self.percent / 100

    def describe(self):
        return "discount of %s percent" % self.percent
''',
    "shop/basket.py": """from shop.prices import DiscountRule, add_tax


class Basket:
    def __init__(self):
        self.items = []

    def total(self):
        return sum(add_tax(item) for item in self.items)
""",
    "shop/mail/sender.py": """from ..basket import Basket


def send_invoice(basket, address):
    raise ValueError("address is not a mailbox: %s" % address)
""",
    "docs/conf.py": "project = 'shop'\n",
    "setup.py": "from setuptools import setup\nsetup(name='shop')\n",
}


class DictTree:
    """A tree of texts in memory; the content id is the text's hash."""

    def __init__(self, texts: Mapping[str, str], recency: Mapping[str, float] | None = None):
        self._texts = dict(texts)
        self._recency = recency or {}

    def files(self):
        return {path: f"{hash(text):x}" for path, text in self._texts.items()}

    def text(self, path):
        return self._texts[path]

    def recency(self):
        return self._recency


def view_of(texts: Mapping[str, str] = FILES, recency: Mapping[str, float] | None = None):
    tree = DictTree(texts, recency)
    files = tree.files()
    index = RepositoryIndex()
    by_content = {content: texts[path] for path, content in files.items()}
    index.add(files.values(), by_content.__getitem__)
    return TreeView(index, files, tree.recency())


def task(number: int, issue: str, path: str, old: str, new: str, *, date: float, repo="me/shop"):
    before = FILES[path]
    assert old in before
    return SWETask(
        task_id=f"{repo}-{number}",
        repo=repo,
        issue_text=issue,
        code_before={path: before},
        code_after={path: before.replace(old, new)},
        base_date=date,
        split="train",
        tree=DictTree(FILES),
    )


def tasks():
    """Twelve tasks over three files, oldest first."""
    cases = [
        ("apply_discount of DiscountRule ignores zero", "shop/prices.py", "/ 100", "/ 100.0"),
        ("Tax is added twice\n\n`add_tax` is wrong", "shop/prices.py", "(1 + RATE)", "(2 + RATE)"),
        ("Basket.total misses items", "shop/basket.py", "add_tax(item)", "add_tax(item) + 1"),
        ("send_invoice fails for an address", "shop/mail/sender.py", "mailbox", "box"),
    ]
    return [
        task(number, f"{title} ({number})", path, old, new, date=1000.0 + number)
        for number in range(12)
        for title, path, old, new in [cases[number % len(cases)]]
    ]
