"""Set the number of random examples that tests try, with other settings if an example takes long."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

#: The number of random examples of each test that does not set its own, here and in `make soak`.
EXAMPLES = {"test": 30, "soak": 2000}


def load_profile(name: str) -> None:
    """Let tests try as many random examples as a profile has, one of ``EXAMPLES``."""
    for profile, count in EXAMPLES.items():
        settings.register_profile(profile, max_examples=count, deadline=None)
    settings.load_profile(name)


def long_examples(count: int) -> settings:
    """Return settings with a number of examples in `make test`, and as many times more in `make soak`."""
    return settings(
        max_examples=count * settings().max_examples // EXAMPLES["test"],
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # Shrinking a history takes minutes. Its log says what happened.
        phases=(Phase.explicit, Phase.generate),
        print_blob=True,
        database=None,
    )
