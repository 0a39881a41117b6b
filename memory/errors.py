"""Errors of the store; each message says what is wrong and what to do."""


class StoreError(Exception):
    """The store refused or could not do what was asked."""


class SplitGuardError(StoreError):
    """A training example was taken from a problem that is not in the train split."""


class StoreVersionError(StoreError):
    """The database was written by a newer KENT."""


class HologramError(StoreError):
    """Vectors, codebooks or learned state that do not fit together."""
