"""The sections of ``kent.toml`` that keep a daemon going for weeks: retention, backups, alerts."""

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
