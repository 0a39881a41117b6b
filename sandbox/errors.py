"""The sandbox's errors: its own faults and wrong use. What a program does is a verdict, no error.

SandboxError
├── LevelError        the level that was asked for does not work on this machine
└── ConversionError   a test that cannot be read
"""


class SandboxError(Exception):
    """Base of everything that the sandbox raises on purpose."""


class LevelError(SandboxError):
    """The level that was asked for does not work here; the text says what keeps it."""


class ConversionError(SandboxError):
    """A test's source cannot be read as Python."""
