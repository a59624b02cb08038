"""A bundle whose bits were flipped is refused: its checksum covers all that is in it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import onnx
import pytest

from common.errors import BundleError
from engine.library import models
from engine.library.loading import load_network
from engine.library.models import embedded_models, known_digest
from engine.network.runtime import Network
from engine.network.seal import SEAL_KEY, digest_of, is_sealed, sealed
from tests.bundles import CODECS, NETWORKS, tiny_bytes

SEAL = len(sealed(b""))
WRONG = r"^some\.onnx: is damaged, or was changed .* checksum is wrong: copy it anew"


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("network", NETWORKS)
def test_an_exported_bundle_is_sealed_and_its_digest_is_that_of_the_file(
    network: str, codec: str
) -> None:
    data = tiny_bytes(network, codec)
    loaded = Network(data, "some.onnx")
    assert loaded.is_sealed
    assert loaded.digest == digest_of(data, "some.onnx") == hashlib.sha256(data).hexdigest()
    props = {entry.key: entry.value for entry in onnx.load_from_string(data).metadata_props}
    assert props[SEAL_KEY] == hashlib.sha256(data[:-SEAL]).hexdigest()


def test_a_flipped_bit_is_found_wherever_it_is() -> None:
    data = tiny_bytes("gpt")
    digits = range(8 * (len(data) - 64), 8 * len(data))
    for bit in (*range(0, 8 * (len(data) - SEAL), 50_021), *digits):
        with pytest.raises(BundleError, match=WRONG):
            digest_of(flipped(data, bit), "some.onnx")


def test_a_flipped_weight_does_not_compose() -> None:
    data = tiny_bytes("gpt")
    with pytest.raises(BundleError, match=WRONG):
        Network(flipped(data, 4 * len(data)), "some.onnx")


def test_a_flipped_name_of_the_checksum_leaves_a_bundle_that_is_whole_or_refused() -> None:
    data = tiny_bytes("lstm")
    whole = Network(data, "some.onnx").specification
    for byte in range(len(data) - SEAL, len(data) - 64):
        try:
            found = Network(flipped(data, 8 * byte), "some.onnx")
        except BundleError:
            continue
        assert found.specification == whole


def test_what_is_put_behind_the_checksum_is_found() -> None:
    data = tiny_bytes("gpt")
    for more in (b"\x72\x06\x0a\x01a\x12\x01b", sealed(b"")[:4] + b"x" * (SEAL - 4)):
        with pytest.raises(BundleError, match=r"^some\.onnx: "):
            Network(data + more, "some.onnx")


def test_a_bundle_of_before_has_no_checksum_and_is_taken() -> None:
    data = tiny_bytes("gpt")[:-SEAL]
    assert not is_sealed(data)
    network = Network(data, "some.onnx")
    assert not network.is_sealed
    assert network.digest == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 84, b"x" * 85, b"x" * 86])
def test_the_digest_of_few_bytes_is_theirs(data: bytes) -> None:
    assert digest_of(data, "some.onnx") == hashlib.sha256(data).hexdigest()


def test_every_embedded_model_is_in_the_list_as_it_is() -> None:
    assert len(embedded_models()) >= 3
    for path in embedded_models():
        assert known_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest(), (
            f"run sha256sum *.onnx > {models.CHECKSUMS} in {models.EMBEDDED}"
        )


def test_an_embedded_model_that_is_damaged_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    shutil.copy(models.EMBEDDED / models.CHECKSUMS, tmp_path)
    data = (models.EMBEDDED / "lstm.onnx").read_bytes()
    resealed = sealed(flipped(data, 4 * len(data))[:-SEAL])
    (tmp_path / "lstm.onnx").write_bytes(resealed)
    (tmp_path / "mine.onnx").write_bytes(tiny_bytes("gpt"))
    load_network(tmp_path / "lstm.onnx")  # nobody knows how it should be
    monkeypatch.setattr(models, "EMBEDDED", tmp_path)
    for path in (tmp_path / "lstm.onnx", tmp_path / "link" / "lstm.onnx"):
        with pytest.raises(BundleError, match=r"lstm\.onnx is not the model that came"):
            load_network(path)
    load_network(tmp_path / "mine.onnx")
