"""Presets over tens of thousands of bars: do they stay what they are?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.composing.composer import Composer
from engine.controls.values import Json
from engine.network.runtime import Network
from export.evaluation.composing import SettingOf, bar_by_bar
from export.evaluation.endurance import Endurance, Follower
from export.evaluation.report import table

# What is allowed: standard deviations of bars that a block may be away, bars of silence that
# nobody asked for, share of the entropy at the beginning that must be left.
FURTHEST, LONGEST_SILENCE, LEAST_ENTROPY = 2.0, 2.0, 0.5
DRIFTING = ("pitch", "density", "velocity")
_GUARDED = "_bars"
ROWS = 16  # streams that are composed together: more serve no faster
_NO_SPREAD = 1e-6  # where all bars are alike, any other is far away


@dataclass(frozen=True, slots=True)
class Course:
    """One stream: what became of it, and in how many bars each guard was awake. `quarters` are in
    a bar of it, `rest` are those of silence that its `controls` allow."""

    seed: int
    found: Endurance
    guards: Mapping[str, int]
    quarters: float
    rest: float
    controls: Mapping[str, Json]

    @property
    def silence(self) -> float:
        """The longest, in bars beyond what it allows."""
        return max(0.0, self.found.longest_silence - self.rest) / self.quarters


@dataclass(frozen=True, slots=True)
class Lasting:
    """A preset, from several seeds."""

    name: str
    courses: tuple[Course, ...]

    @property
    def bars(self) -> int:
        return sum(course.found.bars for course in self.courses)

    @property
    def unasked(self) -> int:
        return sum(course.found.unasked for course in self.courses)

    @property
    def silence(self) -> float:
        """The longest, in bars beyond what the preset allows."""
        return max(course.silence for course in self.courses)

    @property
    def entropy(self) -> float:
        """The least of any hundred bars, as a share of the first hundred of the same stream."""
        return min(
            min(
                _share(block.pitch_entropy, course.found.entropy[0].pitch_entropy),
                _share(block.gap_entropy, course.found.entropy[0].gap_entropy),
            )
            for course in self.courses
            for block in course.found.entropy
        )

    def drift(self, name: str) -> float:
        """How far any block of any stream is from the mean of all that have the same controls, in
        standard deviations of their bars."""
        return max(
            _drift([one for one in self.courses if one.controls == course.controls], name)
            for course in self.courses
        )

    def guarded(self, guard: str) -> float:
        """Share of bars in which a guard was awake."""
        return sum(course.guards[guard] for course in self.courses) / max(self.bars, 1)

    @property
    def faults(self) -> list[str]:
        found = [name for name in DRIFTING if self.drift(name) > FURTHEST]
        found += ["repeats"] * (self.unasked > 0)
        found += ["silence"] * (self.silence > LONGEST_SILENCE)
        found += ["entropy"] * (self.entropy < LEAST_ENTROPY)
        return found

    def plain(self) -> dict[str, Any]:
        return {
            "preset": self.name,
            "bars": self.bars,
            "faults": self.faults,
            "unasked_repeats": self.unasked,
            "silence_bars": self.silence,
            "least_entropy": self.entropy,
            "drift": {name: self.drift(name) for name in DRIFTING},
            "guards": {guard: self.guarded(guard) for guard in self.courses[0].guards},
            "courses": [asdict(course) for course in self.courses],
        }


def _drift(courses: Sequence[Course], name: str) -> float:
    means: list[float] = [
        mean
        for course in courses
        for block in course.found.blocks
        if (mean := getattr(block, name)) is not None
    ]
    spreads = [getattr(course.found.spread, name) for course in courses]
    spread: float = sum(spreads) / len(spreads)
    centre: float = sum(means) / max(len(means), 1)
    furthest = max((abs(mean - centre) for mean in means), default=0.0)
    return furthest / max(spread, _NO_SPREAD)


def _share(entropy: float, beginning: float) -> float:
    return entropy / beginning if beginning else 1.0


def last(
    network: Network,
    presets: Mapping[str, SettingOf],
    seeds: Sequence[int],
    bars: int,
    progress: Callable[[int], object] = lambda bars: None,
) -> list[Lasting]:
    """Compose so many bars of each preset from each seed, and keep the figures alone."""
    names = list(presets)
    together = max(1, ROWS // len(seeds))
    found: list[Lasting] = []
    for first in range(0, len(names), together):
        some = {name: presets[name] for name in names[first : first + together]}
        found += _together(network, some, seeds, bars, progress)
    return found


def _together(
    network: Network,
    presets: Mapping[str, SettingOf],
    seeds: Sequence[int],
    bars: int,
    progress: Callable[[int], object],
) -> Iterator[Lasting]:
    """Several presets on one pool: no stream hears the others, and a step serves them all."""
    pool = network.pool(len(presets) * len(seeds))
    composers = [
        Composer(network, pool, seed, 0, setting_of(seed))
        for setting_of in presets.values()
        for seed in seeds
    ]
    followers = [Follower() for _ in composers]
    for number, bar in bar_by_bar(composers, bars):
        followers[number].hear(bar)
        progress(1)
    courses = [
        _course(composer, follower.found())
        for follower, composer in zip(followers, composers, strict=True)
    ]
    for i, name in enumerate(presets):
        yield Lasting(name, tuple(courses[i * len(seeds) : (i + 1) * len(seeds)]))


def _course(composer: Composer, found: Endurance) -> Course:
    controls = composer.controls
    return Course(
        seed=composer.seed,
        found=found,
        guards=_guards(composer),
        quarters=composer.setting.metre.quarters,
        rest=controls.max_rest,
        controls=controls.as_dict(),
    )


def _guards(composer: Composer) -> dict[str, int]:
    found = composer.guard_report
    return {
        name.removesuffix(_GUARDED): int(count)
        for name, count in found.items()
        if name.endswith(_GUARDED)
    }


def text(rows: Sequence[Lasting]) -> str:
    """All of them as a table."""
    guards = list(rows[0].courses[0].guards) if rows else []
    head = ["preset", "bars", "repeats", *DRIFTING, "silence", "entropy", *guards, "verdict"]
    lines = [
        [
            row.name,
            f"{row.bars:,}",
            f"{row.unasked}",
            *(f"{row.drift(name):.2f}" for name in DRIFTING),
            f"{row.silence:.1f}",
            f"{row.entropy:.2f}",
            *(f"{row.guarded(guard):.1%}" for guard in guards),
            ", ".join(row.faults) or "holds",
        ]
        for row in rows
    ]
    return table(head, lines)
