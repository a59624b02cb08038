"""The picture of a piece, and the command that draws it."""

import io

import pytest
from matplotlib.image import imread

from engine.files.midi import write
from engine.music.score import Note, Score, as_array
from export.evaluation.roll import roll
from server.commands.cli import main

PNG = b"\x89PNG\r\n"


def piece(bars=20):
    notes = [Note(24 * i, 20, 60 + i % 12, 30 + i % 90, i % 8) for i in range(4 * bars)]
    return Score(as_array(notes))


def height(png):
    return int.from_bytes(png[20:24], "big")


def test_a_line_of_the_page_holds_so_many_bars():
    assert roll(piece(), 16).startswith(PNG)
    assert height(roll(piece(20), 5)) == pytest.approx(4 * height(roll(piece(20), 20)), rel=0.1)


def test_louder_notes_are_darker():
    def darkness(velocity):
        score = Score(as_array([Note(0, 96, 60, velocity, 0)]))
        return float(1 - imread(io.BytesIO(roll(score)))[..., :3].min())

    assert darkness(120) > darkness(10)


def test_nothing_is_drawn_of_silence_and_nothing_breaks():
    assert roll(Score(as_array([]))).startswith(PNG)


def test_the_command_writes_beside_the_file_and_keeps_what_is_there(tmp_path, capsys):
    midi = tmp_path / "a.mid"
    midi.write_bytes(write(piece()))
    assert main(["roll", str(midi)]) == 0
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)
    assert "80 notes" in capsys.readouterr().out
    assert main(["roll", str(midi)]) != 0
    assert "a.png" in capsys.readouterr().err
    assert main(["roll", str(midi), "--force", "--bars", "4", "--title", "A"]) == 0


@pytest.mark.parametrize(
    ("content", "words"), [(b"hello", "no MIDI file"), (None, "does not exist")]
)
def test_what_is_no_midi_file_is_named(tmp_path, capsys, content, words):
    midi = tmp_path / "a.mid"
    if content is not None:
        midi.write_bytes(content)
    assert main(["roll", str(midi)]) != 0
    assert words in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
