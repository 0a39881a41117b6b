"""The settings of scaling out: whether work is spread over a Ray cluster, and how."""

import re
from typing import Literal

from pydantic import Field, field_validator

from trainers.section import Section

_ADDRESS = re.compile(r"auto|(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):\d{1,5}")


class ClusterConfig(Section):
    """Where generation, execution and features of the critic stage run; docs/cluster.md."""

    engine: Literal["local", "ray"] = Field(
        "local", description="local: this machine alone; ray: every node of a Ray cluster"
    )
    address: str = Field(
        "auto", description="the head node's HOST:PORT; auto: the cluster that this machine is in"
    )
    sandbox_cpus: int = Field(
        0, ge=0, le=1024, description="programs run at once on a node; 0: one for each CPU of it"
    )
    gpus_per_engine: float = Field(
        1.0, gt=0, le=64, description="cards of an engine; below 1, engines share a card"
    )
    attempts: int = Field(
        3, ge=1, le=100, description="for a unit of work whose node or engine is lost"
    )
    start_timeout_s: float = Field(
        600, gt=0, le=86_400, description="for a node to load its engine, model or sandbox"
    )

    @field_validator("address")
    @classmethod
    def _reachable_form(cls, address: str) -> str:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(
                f"{address!r} is neither 'auto' nor HOST:PORT, as `ray start --head --port=6379` "
                "prints it (ray:// is another protocol: let this machine join by `ray start` "
                "--address=HOST:PORT --num-cpus=0)"
            )
        return address
