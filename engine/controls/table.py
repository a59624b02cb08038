"""The table of controls: one row for each, from which everything that names a control derives.

The attributes of `engine.controls.controls.Controls`, the command line, the wire protocols, the
page's knobs and `docs/controls.md` follow this table."""

from __future__ import annotations

from dataclasses import dataclass, fields

from engine.controls.key import Key
from engine.controls.kinds import (
    BY_PART,
    CHOICE,
    CHORDS,
    INTEGER,
    KEY,
    METRE,
    MIX,
    NUMBER,
    PART_SET,
    PER_FIELD,
    PROGRAMS,
    SCALE,
    PerField,
)
from engine.controls.values import Control, control
from engine.music.grids import GRIDS
from engine.music.score import PARTS
from engine.music.time import Metre
from engine.performing.pedal import PEDALLING
from engine.planning.form import FORMS, MAX_SECTION_BARS

ROLES = {
    "conditioning": "told to the model, which has learned to follow it",
    "constraint": "kept strictly",
    "sampling": "how boldly is drawn",
    "leaning": "what is drawn leans that way",
    "form": "shapes the plan over minutes",
    "performance": "how the notes are played",
}
CONDITIONING, CONSTRAINT, SAMPLING, LEANING, FORM, PERFORMANCE = ROLES


@dataclass(frozen=True, slots=True)
class ControlTable:
    """The rows; an instance, which is always a `Controls`, holds a value for each."""

    # Columns: kind, role, group, default, low, high, unit, help.
    # fmt: off
    tempo: float | None = control(
        NUMBER, PERFORMANCE, "time", None, 20, 300, "quarters a minute",
        "Speed; auto takes that of the prompt, else of the model, else 100.")
    tempo_drift: float = control(
        NUMBER, PERFORMANCE, "time", 0.0, 0, 20, "percent",
        "How far the tempo wanders, slowly, to either side of itself.")
    metre: Metre | None = control(
        METRE, CONDITIONING, "time", None, 0, 0, "",
        "Time signature n/4 or n/8; auto takes that of the prompt, else of the model, else "
        "4/4.")
    grid: str = control(
        CHOICE, CONSTRAINT, "time", GRIDS[0], 0, 0, "",
        "Steps of a whole note that onsets keep to, at 1/16 and 1/32 with triplets beside "
        "them; free leaves them to the model.", choices=GRIDS)

    style: tuple[tuple[str, float], ...] = control(
        MIX, CONDITIONING, "texture", (), 0, 100, "",
        "Mix of the model's styles, by weight; auto leaves it open.", per="style")
    density: float | None = control(
        NUMBER, CONDITIONING, "texture", None, 0.1, 16, "notes a quarter",
        "How many notes are struck, drums beside other parts apart; auto leaves it to the "
        "plan.")
    register: float | None = control(
        NUMBER, CONDITIONING, "texture", None, 36, 96, "mean MIDI pitch",
        "Where the music lies; 60 is middle C, auto leaves it to the plan.")
    polyphony: float | None = control(
        NUMBER, CONDITIONING, "texture", None, 1, 8, "mean notes sounding",
        "How many notes sound together; auto leaves it to the plan.")
    dynamics: float | None = control(
        NUMBER, CONDITIONING, "texture", None, 1, 127, "mean velocity",
        "How loud it is; auto leaves it to the plan.")
    articulation: float | None = control(
        NUMBER, CONDITIONING, "texture", None, 0.1, 2, "duration over gap",
        "From staccato (small) to legato (1 and more): told to the model, and notes are let go "
        "or held accordingly; auto leaves it to the plan.")

    breath: float = control(
        NUMBER, FORM, "texture", 0.3, 0, 1, "",
        "How far density, register, polyphony, dynamics and articulation move by themselves "
        "around what is asked: 0 hardly, 1 from bar to bar and over minutes as music of the "
        "style does.")

    key: Key = control(
        KEY, CONSTRAINT, "harmony", Key(0, "major"), 0, 0, "",
        "Home key: the tonic that sounds and its mode.")
    scale: tuple[float, ...] | None = control(
        SCALE, CONSTRAINT, "harmony", None, 0, 1, "",
        "Weights of the twelve pitch classes, instead of the mode's own; auto takes the "
        "mode's.")
    key_strength: float | None = control(
        NUMBER, CONSTRAINT, "harmony", None, 0, 1, "",
        "How firmly pitches keep to the scale: 0 only as learned, 1 strictly; auto is 0 in "
        "major and minor, 1 in other modes and with a scale.")
    chords: str = control(
        CHORDS, CONDITIONING, "harmony", "", 0, 0, "",
        "Progression that is repeated, by name as it sounds or by degree; auto leaves it to "
        "the plan.")
    bars_per_chord: float = control(
        NUMBER, CONDITIONING, "harmony", 1.0, 0.5, 8, "bars",
        "How long each chord of the progression lasts.", choices=(0.5, 1.0, 2.0, 4.0, 8.0))

    counterpoint: float = control(
        NUMBER, LEANING, "harmony", 0.0, 0, 1, "",
        "How strictly parts are led as voices: no parallel fifths and octaves, no unisons, no "
        "crossings, leading notes that resolve, full chords.")

    low_pitch: int = control(
        INTEGER, CONSTRAINT, "range", 21, 0, 127, "MIDI pitch",
        "Lowest pitch that may sound, percussion aside; high_pitch must be 11 or more "
        "above.")
    high_pitch: int = control(
        INTEGER, CONSTRAINT, "range", 108, 0, 127, "MIDI pitch",
        "Highest pitch that may sound, percussion aside; low_pitch must be 11 or more "
        "below.")
    transpose: int = control(
        INTEGER, CONSTRAINT, "range", 0, -24, 24, "semitones",
        "Shifts everything but percussion, after key, scale and chords.")
    max_polyphony: int = control(
        INTEGER, CONSTRAINT, "range", 16, 1, 32, "notes",
        "Most notes that may sound together.")
    max_rest: float = control(
        NUMBER, CONSTRAINT, "range", 4.0, 0.25, 16, "quarters",
        "Longest silence.")

    parts: tuple[int, ...] = control(  # numbered from 1
        PART_SET, CONSTRAINT, "parts", (), 1, PARTS, "",
        f"Which parts play ({PARTS} is percussion, beside others with a beat of its own); auto "
        "leaves it to the model.", per="part")
    programs: tuple[tuple[int, int], ...] = control(  # (part from 1, program)
        PROGRAMS, PERFORMANCE, "parts", (), 0, 127, "",
        "General MIDI program of parts, counted from 0; auto takes those of the prompt or "
        "model.", per="part")

    temperature: PerField = control(
        PER_FIELD, SAMPLING, "sampling", PerField(1.0), 0.1, 2, "",
        "How boldly is drawn: below 1 likelier, above 1 more surprising.", per="field")
    min_p: PerField = control(
        PER_FIELD, SAMPLING, "sampling", PerField(0.01), 0, 0.5, "",
        "Leaves out what is less likely than this share of the likeliest.", per="field")

    form: str = control(
        CHOICE, FORM, "form", "song", 0, 0, "",
        "Shape over minutes: none, phrases that ask and answer, a song's sections, one long "
        "arc, dances (AABB), the strains of rags and marches (AABBACCDD), or subjects that other "
        "parts answer.", choices=FORMS)
    section_bars: int = control(
        INTEGER, FORM, "form", 16, 4, MAX_SECTION_BARS, "bars",
        "Length of a section, to the nearest multiple of four; of a dance, eight at most.")
    variety: float = control(
        NUMBER, FORM, "form", 0.5, 0, 1, "",
        "How earlier material returns: 0 often and literally, 1 seldom and freely.")

    swing: float = control(
        NUMBER, PERFORMANCE, "performance", 0.0, 0, 1, "",
        "How late off-beat eighths fall: 0 straight, 1 as the last of a triplet.")
    humanise_time: float = control(
        NUMBER, PERFORMANCE, "performance", 0.0, 0, 50, "milliseconds",
        "Largest random shift of an onset.")
    humanise_velocity: float = control(
        NUMBER, PERFORMANCE, "performance", 0.0, 0, 30, "velocity",
        "Largest random change of a velocity.")
    expression: float = control(
        NUMBER, PERFORMANCE, "performance", 0.0, 0, 1, "",
        "How much a player shapes tempo, timing and the loudness of voices: 0 not at all, 1 as "
        "measured.")
    pedal: str = control(
        CHOICE, PERFORMANCE, "performance", PEDALLING[0], 0, 0, "",
        "Sustain pedal of pianos, changed with the harmony: auto presses it where expression is "
        "above 0.", choices=PEDALLING)

    levels: tuple[tuple[int, float], ...] = control(  # (part from 1, number), as those below
        BY_PART, PERFORMANCE, "sound", (), 0, 127, "MIDI volume",
        "How loud parts are beside each other (controller 7); 100 is usual, auto leaves it to "
        "the instrument that plays.", per="part")
    places: tuple[tuple[int, float], ...] = control(
        BY_PART, PERFORMANCE, "sound", (), -1, 1, "",
        "Where parts sit between the left (-1) and the right (1) (controller 10); auto leaves "
        "it to the instrument that plays.", per="part")
    reverb: tuple[tuple[int, float], ...] = control(
        BY_PART, PERFORMANCE, "sound", (), 0, 1, "",
        "How much of a room is heard (controller 91): 0 none, 0.3 a room, 0.8 a church; auto "
        "leaves it to the instrument that plays.", per="part")
    attack: tuple[tuple[int, float], ...] = control(
        BY_PART, PERFORMANCE, "sound", (), 0, 1, "",
        "How softly notes begin (controller 73): 0 as the instrument has it, 1 as softly as can "
        "be; auto leaves it to the instrument that plays.", per="part")
    # fmt: on


CONTROLS = tuple(
    Control(row.name, default=row.default, **row.metadata) for row in fields(ControlTable)
)
