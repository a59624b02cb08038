"""The seal of a bundle: the SHA-256 of all that stands before it, as the last bytes of the file.

It is an entry of the model's metadata, appended as protobuf allows, so that the file is an ONNX
model like any other. Bundles of before have none.
"""

from __future__ import annotations

from hashlib import sha256

from common.errors import BundleError

SEAL_KEY = "perpetuo.sha256"
_DIGITS = 64


def _field(number: int, content: bytes) -> bytes:
    """A field of protobuf that holds bytes, fewer than 128 of them."""
    return bytes([number << 3 | 2, len(content)]) + content


def _entry(digits: bytes) -> bytes:
    """An entry of `ModelProto.metadata_props`."""
    return _field(14, _field(1, SEAL_KEY.encode()) + _field(2, digits))


_SIZE = len(_entry(b"0" * _DIGITS))
_HEAD = _entry(b"0" * _DIGITS)[:-_DIGITS]


def sealed(data: bytes) -> bytes:
    """A bundle that has no seal yet, with it."""
    return data + _entry(sha256(data).hexdigest().encode())


def is_sealed(data: bytes) -> bool:
    """Whether a bundle ends in a seal, be it the right one or not."""
    return data[-_SIZE:].startswith(_HEAD)


def digest_of(data: bytes, where: str, known: str | None = None) -> str:
    """The SHA-256 of a whole bundle. BundleError if its seal is not that of what stands before it,
    or if it is not the `known` one. All is gone through once."""
    view = memoryview(data)
    found = sha256(view[:-_SIZE])
    inside = found.hexdigest().encode()
    found.update(view[-_SIZE:])
    if is_sealed(data) and not data.endswith(inside):
        raise changed(where)
    if known is not None and found.hexdigest() != known:
        raise BundleError(
            f"{where} is not the model that came with perpetuo, its checksum differs: install "
            "perpetuo anew, and keep a model of your own elsewhere"
        )
    return found.hexdigest()


def changed(where: str) -> BundleError:
    return BundleError(
        f"{where}: is damaged, or was changed since it was exported, for its checksum is wrong: "
        "copy it anew, or export it again from its checkpoint"
    )
