"""Errors of the store; each message says what is wrong and what to do."""


class StoreError(Exception):
    """The store refused or could not do what was asked."""


class StoreUnavailable(StoreError):
    """The place refuses just now: full, locked, read-only, or a disk that fails.

    All that was committed is kept, and the same works again once a person has put it right.
    """


class SplitGuardError(StoreError):
    """A training example was taken from a problem that is not in the train split."""


class StoreVersionError(StoreError):
    """The database was written by a newer KENT."""


class HologramError(StoreError):
    """Vectors, codebooks or learned state that do not fit together."""
