"""What the collector is spared, and what it is not."""

import gc
import weakref

from trainers.heap import give_back, set_apart


class Node:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self):
        self.me = self


def test_what_was_alive_is_set_apart_once_and_later_cycles_are_collected():
    kept = [Node()]
    try:
        set_apart()
        once = gc.get_freeze_count()
        set_apart()
        assert 0 < gc.get_freeze_count() <= once + 1000  # not counted twice
        gone = weakref.ref(Node())
        gc.collect()
        assert gone() is None
        old = weakref.ref(kept.pop())
        assert old() is not None  # spared
        give_back()
        assert old() is None
        assert gc.get_freeze_count() == 0
    finally:
        gc.unfreeze()
