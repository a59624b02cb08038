"""Reading MusicXML, plain or zipped, into the same shape as a MIDI file.

Read are notes, chords, ties, several voices and staves, metres, keys, tempos, transposing
instruments and percussion. Repeats and jumps are played out (see `repeats`), grace and cue notes
are left out, loudness is unknown.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from xml.etree import ElementTree

import numpy as np

from common.errors import DatasetError
from engine.files.midi_reader import DEFAULT_TEMPO, FILE_NOTE, MAX_QUARTERS, KeySignature, Smf
from engine.music.time import microseconds_per_quarter
from export.data.repeats import breaks, order_of
from export.data.zipped import BROKEN, unpacked

DIVISION = 10_080  # divisible by all that divides a quarter in print, up to sevenths of a 32nd
VELOCITY = 64
MAX_BYTES = 256 << 20
MAX_CONTAINER = 1 << 20
_CONTAINER = "META-INF/container.xml"
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_DRUM_CHANNEL = 9
_XML_STARTS = (b"<", b"PK\x03\x04", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")

Element = ElementTree.Element
# What holds in front of a measure: divisions, transposition, metre, key.
_Setting = tuple[int, int, tuple[int, int], tuple[int, bool] | None]


def looks_like_xml(data: bytes) -> bool:
    return data[:64].lstrip().startswith(_XML_STARTS)


def read_musicxml(data: bytes) -> Smf:
    """Raises DatasetError with the reason if this is no MusicXML that can be read."""
    if data.startswith(b"PK"):
        data = _unzipped(data)
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DatasetError(f"bad XML: {error}") from None
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]
    if root.tag != "score-partwise":
        raise DatasetError(f"XML, but not MusicXML of the part-wise kind (it is '{root.tag}')")
    sheet = _Sheet()
    instruments = {part.get("id", ""): part for part in root.iterfind("part-list/score-part")}
    parts = [(part.get("id", ""), list(part.iterfind("measure"))) for part in root.iterfind("part")]
    order = order_of([measures for _, measures in parts])
    tempos = _tempos([measures for _, measures in parts])
    for i, (name, measures) in enumerate(parts):
        player = _Player(sheet, instruments.get(name), leads=i == 0)
        player.perform(measures, order.measures, tempos)
    return sheet.smf((order.unfollowed,) if order.unfollowed else ())


def _unzipped(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return unpacked(archive, _root_file(archive), MAX_BYTES)
    except (*BROKEN, ElementTree.ParseError) as error:
        raise DatasetError(f"a broken zip file: {error}") from None


def _root_file(archive: zipfile.ZipFile) -> str:
    names = archive.namelist()
    if _CONTAINER in names:
        container = ElementTree.fromstring(unpacked(archive, _CONTAINER, MAX_CONTAINER))
        for element in container.iter():
            if element.tag.endswith("rootfile") and element.get("full-path") in names:
                return element.attrib["full-path"]
    for name in names:
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith("META-INF"):
            return name
    raise DatasetError("a zip file without MusicXML in it")


@dataclass(slots=True)
class _Sheet:
    """What is gathered from all parts; times in `DIVISION`ths of a quarter."""

    notes: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)
    tempos: dict[int, int] = field(default_factory=dict)
    metres: list[tuple[int, int, int]] = field(default_factory=list)
    keys: set[KeySignature] = field(default_factory=set)
    tracks: dict[tuple[int, str], int] = field(default_factory=dict)  # (part, staff) → track
    parts: int = 0

    def smf(self, repairs: tuple[str, ...]) -> Smf:
        limit = MAX_QUARTERS * DIVISION
        notes = np.array([note for note in self.notes if note[1] <= limit], FILE_NOTE)
        return Smf(
            DIVISION,
            notes[np.lexsort((notes["pitch"], notes["start"], notes["track"]))],
            tuple(sorted((t, v) for t, v in self.tempos.items() if t <= limit)),
            tuple(metre for metre in self.metres if metre[0] <= limit),
            tuple(sorted(self.keys)),
            repairs=repairs,
        )


class _Player:
    """Plays through the measures of one part."""

    def __init__(self, sheet: _Sheet, instrument: Element | None, *, leads: bool) -> None:
        self.sheet, self.leads = sheet, leads
        self.part = sheet.parts
        sheet.parts += 1
        self.divisions, self.transpose = 1, 0
        self.metre = (4, 4)
        self.key: tuple[int, bool] | None = None
        self.now = self.furthest = self.chord_at = 0
        self.program, self.channel = 0, 0
        self.drum_keys: dict[str, int] = {}
        self.ties: dict[tuple[int, str], tuple[int, int]] = {}  # (pitch, staff) → start, end
        if instrument is not None:
            self._prepare(instrument)

    def _prepare(self, instrument: Element) -> None:
        for midi in instrument.iterfind("midi-instrument"):
            key = _integer(midi, "midi-unpitched", 0) - 1
            if 0 <= key < 128:
                self.drum_keys[midi.get("id", "")] = key
        first = instrument.find("midi-instrument")
        if first is not None:
            self.program = min(max(_integer(first, "midi-program", 1) - 1, 0), 127)
            drums = _integer(first, "midi-channel", 1) - 1 == _DRUM_CHANNEL
            self.channel = _DRUM_CHANNEL if drums else 0

    def perform(
        self, measures: Sequence[Element], order: Sequence[int], tempos: Sequence[int]
    ) -> None:
        """Play the measures in this order, each under what is written in front of it; `tempos` are
        those at the beginning of each measure."""
        written = list(self._written(measures))
        leaps = breaks(order)
        for place, number in enumerate(order):
            if number < len(measures):
                self.divisions, self.transpose, self.metre, self.key = written[number]
                start = self.furthest
                self.play(measures[number])
                if place in leaps and self.leads:
                    self._say_again(start, written[number][3], tempos[number])
        self._release()

    def _written(self, measures: Sequence[Element]) -> Iterator[_Setting]:
        for measure in measures:
            yield self.divisions, self.transpose, self.metre, self.key
            for element in measure.iterfind("attributes"):
                self._attributes(element)

    def _say_again(self, start: int, key: tuple[int, bool] | None, tempo: int) -> None:
        """Key and tempo hold from where they are written, not from what was played before."""
        self.sheet.tempos.setdefault(start, tempo)
        if key is not None and not any(signature.tick == start for signature in self.sheet.keys):
            self.sheet.keys.add(KeySignature(start, *key))

    def play(self, measure: Element) -> None:
        start = self.now = self.furthest
        for element in measure:
            match element.tag:
                case "note":
                    self._note(element)
                case "backup":
                    self.now = max(self.now - self._duration(element), start)
                case "forward":
                    self.now += self._duration(element)
                case "attributes":
                    self._attributes(element)
                    if self.leads and self.key and element.find("key/fifths") is not None:
                        self.sheet.keys.add(KeySignature(self.now, *self.key))
                case "direction" | "sound":
                    if (tempo := _tempo(element)) is not None:
                        self.sheet.tempos.setdefault(self.now, tempo)
            self.furthest = max(self.furthest, self.now)
        if self.leads:  # said again at every bar, so that upbeats and short bars stand right
            self.sheet.metres.append((start, *self.metre))

    def _attributes(self, element: Element) -> None:
        self.divisions = max(_integer(element, "divisions", self.divisions), 1)
        if element.find("transpose") is not None:
            self.transpose = _integer(element, "transpose/chromatic", 0)
            self.transpose += 12 * _integer(element, "transpose/octave-change", 0)
        beats = element.findtext("time/beats", "").split("+")
        unit = _integer(element, "time/beat-type", 0)
        if all(beat.strip().isdecimal() for beat in beats) and unit in (1, 2, 4, 8, 16, 32, 64):
            self.metre = (min(sum(map(int, beats)), 255), unit)
        if element.find("key/fifths") is not None:
            fifths = min(max(_integer(element, "key/fifths", 0), -7), 7)
            self.key = (fifths, element.findtext("key/mode", "").strip() == "minor")

    def _note(self, element: Element) -> None:
        if element.find("grace") is not None or element.find("cue") is not None:
            return
        length = self._duration(element)
        if element.find("chord") is None:
            self.chord_at = self.now
            self.now += length
        pitch, channel = self._pitch(element)
        if not 0 <= pitch < 128 or element.find("rest") is not None:
            return
        staff = element.findtext("staff", "1")
        start, end = self.chord_at, self.chord_at + length
        # A tie goes to the note that follows at once, whether or not that says so too.
        tied_start, tied_end = self.ties.pop((pitch, staff), (-1, -1))
        if tied_end == start:
            start = tied_start
        elif tied_end >= 0:
            self._sounds(tied_start, tied_end, pitch, channel, staff)
        if any(tie.get("type") == "start" for tie in element.iterfind("tie")):
            self.ties[pitch, staff] = (start, end)
        else:
            self._sounds(start, end, pitch, channel, staff)

    def _release(self) -> None:
        """End the notes that were tied to nothing."""
        for (pitch, staff), (start, end) in self.ties.items():
            self._sounds(start, end, pitch, self.channel, staff)

    def _sounds(self, start: int, end: int, pitch: int, channel: int, staff: str) -> None:
        tracks = self.sheet.tracks
        track = tracks.setdefault((self.part, staff), len(tracks))
        self.sheet.notes.append((start, end, pitch, VELOCITY, channel, self.program, track))

    def _pitch(self, element: Element) -> tuple[int, int]:
        """MIDI pitch (-1: none) and channel."""
        if element.find("unpitched") is not None:
            instrument = element.find("instrument")
            name = instrument.get("id", "") if instrument is not None else ""
            return self.drum_keys.get(name, -1), _DRUM_CHANNEL
        step = _STEPS.get(element.findtext("pitch/step", "").strip().upper())
        if step is None:
            return -1, 0
        octave = _integer(element, "pitch/octave", 4)
        pitch = 12 * (octave + 1) + step + _integer(element, "pitch/alter", 0)
        return pitch + (0 if self.channel else self.transpose), self.channel

    def _duration(self, element: Element) -> int:
        length = _integer(element, "duration", 0)
        return min(max(length, 0) * DIVISION // self.divisions, MAX_QUARTERS * DIVISION)


def _tempo(element: Element) -> int | None:
    """Microseconds a quarter, as a direction or sound asks for."""
    sound = element if element.tag == "sound" else element.find("sound")
    try:
        tempo = float(sound.get("tempo", "0")) if sound is not None else 0.0
    except ValueError:
        return None
    return microseconds_per_quarter(tempo) if 4 <= tempo <= 2000 else None


def _tempos(parts: Sequence[Sequence[Element]]) -> list[int]:
    """The tempo at the beginning of each measure, as written."""
    found, tempo = [], DEFAULT_TEMPO
    for measures in zip_longest(*parts):
        begins, last = tempo, tempo
        for measure in measures:
            sounding = False
            for element in () if measure is None else measure:
                sounding |= element.tag in ("note", "forward")
                if (asked := _tempo(element)) is not None:
                    begins, last = begins if sounding else asked, asked
        found.append(begins)
        tempo = last
    return found


def _integer(element: Element, path: str, default: int) -> int:
    try:
        return int(float(element.findtext(path, "").strip()))
    except (ValueError, OverflowError):
        return default
