"""Whether the card is free for a stage; who holds it where it is not."""

from kent.service_settings import CardConfig
from trainers.cards import CardReader, holders


def why_not_free(reader: CardReader, config: CardConfig) -> str | None:
    """None where every card has the share of its memory free that a stage wants.

    Else what to tell: no stage of ours runs at this moment, so that whatever is there is another's
    or was left behind.
    """
    if not config.check:
        return None
    for card in reader.cards():
        if card.free_share < config.min_free_share:
            return (
                f"card {card.index} ({card.name}) has {card.total_mb - card.used_mb:,} of "
                f"{card.total_mb:,} MiB free, a stage wants {config.min_free_share:.0%}; it is "
                f"held by {holders(card)}: end that, or set card.min_free_share or card.check"
            )
    return None
