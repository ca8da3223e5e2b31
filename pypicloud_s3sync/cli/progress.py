"""Show how far a step is: a bar, the rate, and the time that is left."""

from __future__ import annotations

#: From this total on, a step is worth a bar.
MANY = 20
WIDTH = 20
#: Seconds after which a rate can be told.
SOON = 2


def amount(done: int | None, total: int | None, seconds: float) -> str:
    """Return how much of a step is done after some seconds; an empty text if that is not known."""
    if done is None or (not done and not total):
        return ""
    if total and total < MANY:
        return f"({done} of {total})"
    rate = done / seconds if seconds >= SOON and done else 0
    parts = [f"{done:,} of {total:,}" if total and total >= done else f"{done:,}"]
    if rate:
        parts.append(f"{rate:,.0f}/s" if rate >= 1 else f"{rate:.2f}/s")
        if total and total > done:
            parts.append(f"{_duration((total - done) / rate)} left")
    return f"{_bar(done, total)}{', '.join(parts)}"


def _bar(done: int, total: int | None) -> str:
    if not total or done > total:
        return ""
    filled = WIDTH * done // total
    return f"{'█' * filled}{'░' * (WIDTH - filled)} "


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(1, round(seconds)), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
