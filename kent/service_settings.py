"""The sections of ``kent.toml`` that keep a daemon going for weeks, and say what it costs."""

from pydantic import Field, field_validator

from trainers.section import Section


class RetentionConfig(Section):
    """What is removed between rounds; samples, verdicts and figures always stay."""

    enabled: bool = Field(True, description="false: nothing is removed but by `kent state prune`")
    candidates: int = Field(
        3, ge=1, le=1000, description="newest versions of a kind kept beside champion, predecessor"
    )
    caches_gb: float = Field(
        20, ge=0, le=1_000_000, description="for what can be computed again; the oldest goes first"
    )


class BackupConfig(Section):
    """Copies of the database that the daemon makes by itself, in ``backups/``."""

    every_hours: float = Field(24, ge=0, le=8760, description="0: the daemon makes none")
    keep: int = Field(7, ge=1, le=1000, description="newest copies that stay")


class CardConfig(Section):
    """Whether a stage waits for the card; none is looked for where NVML shows none."""

    check: bool = Field(True, description="false: a stage begins whoever holds the card")
    min_free_share: float = Field(
        0.9, ge=0, le=1, description="of each card's memory, before a stage begins"
    )


class CostConfig(Section):
    """What the machine costs; a round counts at the price that stood when it began."""

    per_hour: float = Field(0.0, ge=0, le=1_000_000, description="of a stage's wall time; 0: none")
    per_kwh: float = Field(0.0, ge=0, le=1000, description="of the card's energy; 0: none")
    currency: str = Field("USD", min_length=1, max_length=8, description="what prices are in")


class AlertsConfig(Section):
    """A webhook that is told of failures, promotions and a lack of progress."""

    url: str = Field(
        "", repr=False, description="receives JSON with a `text`, as Slack's do; empty: no alerts"
    )
    token_env: str = Field("", description="variable whose value is sent as a Bearer token")
    failure: bool = Field(True, description="tell of stages that failed and of a wait for a remedy")
    promotion: bool = Field(True, description="tell of new champions")
    no_progress_rounds: int = Field(
        20, ge=0, le=100_000, description="tell of so many rounds without a promotion; 0: never"
    )
    timeout_s: float = Field(10, gt=0, le=300, description="of one try; there are three")

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("alerts.url wants an address that begins with http:// or https://")
        return url
