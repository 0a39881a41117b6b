"""Work for the feature cache without a store: in these tests a program is its own hash."""

from trainers.critic.feature_cache import Work, feature_key


def work_of(prompt, codes) -> Work:
    return Work(prompt, {feature_key(prompt, code): code for code in codes})


def themselves(hashes):
    return {text: text for text in hashes}
