"""Who writes code: one protocol, three backends, and the weights that they run on."""

from trainers.generators.base import Completion, Generator, Message, Request, SamplingParams
from trainers.generators.factory import choose_backend, open_generator

__all__ = [
    "Completion",
    "Generator",
    "Message",
    "Request",
    "SamplingParams",
    "choose_backend",
    "open_generator",
]
