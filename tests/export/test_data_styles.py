"""Style tags, manifests and folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigError, DatasetError
from export.data.sources import find_sources
from export.data.styles import MAX_STYLES, OTHER, SYNONYMS, clean, gather_rare, read_mapping, slug


@pytest.mark.parametrize(
    ("tag", "style"),
    [
        ("Romanticism", "romantic"),
        (" sacred/anonymous ", "sacred"),
        ("Popular / Dance", "popular"),
        ("", OTHER),
        ("Jazz", "jazz"),
        ("Bossa_Nova", "bossa-nova"),
    ],
)
def test_tags_are_spelled_one_way(tag: str, style: str) -> None:
    assert clean(tag, {}) == style


def test_what_the_user_maps_goes_first() -> None:
    assert clean("minimal", read_mapping(["Minimal=Calm"])) == "calm"


def test_a_dataset_may_have_a_mapping_of_its_own() -> None:
    mapping = read_mapping(["mutopia/study=classical", "rag=dance"])
    assert clean("study", mapping, "mutopia") == "classical"
    assert clean("study", mapping, "invention") == "study"
    assert clean("study", mapping) == "study"
    assert clean("rag", mapping, "mutopia") == "dance"


@given(st.text())
def test_cleaning_twice_changes_nothing(tag: str) -> None:
    assert slug(slug(tag)) == slug(tag)
    assert clean(clean(tag, {}), {}) == clean(tag, {})


def test_no_synonym_leads_to_another() -> None:
    assert not set(SYNONYMS.values()) & (set(SYNONYMS) - {OTHER})


def test_a_table_may_map_one_by_one_or_many_to_one(tmp_path: Path) -> None:
    table = tmp_path / "styles.toml"
    table.write_text('swing = "jazz"\nold = ["Baroque", "renaissance"]\n')
    assert read_mapping([str(table), "a=b"]) == {
        "swing": "jazz",
        "baroque": "old",
        "renaissance": "old",
        "a": "b",
    }


@pytest.mark.parametrize("text", ["none.toml", "word", "a=", "a= /"])
def test_a_bad_mapping_is_an_error(text: str) -> None:
    with pytest.raises(DatasetError, match="--styles"):
        read_mapping([text])


@pytest.mark.parametrize("text", ["a = 3", "a = [1]", "a ="])
def test_a_bad_table_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises((ConfigError, DatasetError), match=r"s\.toml"):
        read_mapping([str(tmp_path / "s.toml")])


def test_rare_styles_become_other() -> None:
    styles, notes = ["a", "b", "a", "c"], [15_000, 19_999, 6_000, 2_000_000]
    assert gather_rare(styles, notes, None) == ["a", OTHER, "a", "c"]
    assert gather_rare(styles, notes, 0) == styles
    assert gather_rare(["a", "b"], [900, 100], None) == ["a", "b"]  # a small collection


def test_there_are_never_too_many_styles() -> None:
    styles = [f"s{i}" for i in range(100)]
    kept = gather_rare(styles, list(range(1, 101)), 0)
    assert len(set(kept)) == MAX_STYLES
    assert "s99" in kept


def test_files_come_in_a_fixed_order_and_once(tmp_path: Path) -> None:
    for name in ("b/2.MID", "b/1.mid", "a/3.kar", "top.smf", "a/.hidden.mid", "a/x.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    sources, problems, skipped = find_sources([tmp_path, tmp_path / "b", tmp_path / "b/1.mid"])
    assert [s.file for s in sources] == ["a/3.kar", "b/1.mid", "b/2.MID", "top.smf"]
    assert [s.style for s in sources] == ["a", "b", "b", tmp_path.name]
    assert problems == []
    assert [problem.file for problem in skipped] == ["a/.hidden.mid", "a/x.txt"]


def test_a_place_or_manifest_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        find_sources([tmp_path / "none"])
    with pytest.raises(DatasetError, match="--manifest"):
        find_sources([tmp_path], tmp_path / "none.csv")


@pytest.mark.parametrize("text", [b"name,style\na,b\n", b"", b"file\n\xff\xfe\xff\n"])
def test_a_bad_manifest_is_an_error(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "MANIFEST.csv").write_bytes(text)
    with pytest.raises(DatasetError, match="manifest"):
        find_sources([tmp_path])


def test_a_manifest_need_not_lie_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music/a.mid").write_bytes(b"")
    (tmp_path / "list.csv").write_text("file,style,velocity\na.mid,Jazz,flat\n")
    (source,), problems, _ = find_sources([tmp_path / "music"], tmp_path / "list.csv")
    assert (source.style, source.velocity_known, source.split) == ("Jazz", False, "")
    assert problems == []
