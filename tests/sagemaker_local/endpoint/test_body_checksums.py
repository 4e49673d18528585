from __future__ import annotations

import base64
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagemaker_local.errors import AwsError
from sagemaker_local.s3.aws_chunked import Decoder
from sagemaker_local.s3.checksums import Verifier

# The check values of the catalogue of parametrised CRC algorithms, for the text 123456789.
CHECK = {"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888"}


def digest(algorithm: str, pieces: list[bytes]) -> str:
    verifier = Verifier([algorithm])
    for piece in pieces:
        verifier.update(piece)
    with pytest.raises(AwsError, match="did not match") as caught:
        verifier.verify({algorithm: ""})
    return base64.b64decode(caught.value.message.rpartition("calculated ")[2].rstrip(".")).hex()


@pytest.mark.parametrize("algorithm", CHECK)
def test_a_crc_has_its_published_check_value(algorithm: str) -> None:
    assert digest(algorithm, [b"123456789"]) == CHECK[algorithm]
    assert digest(algorithm, [b"1234", b"", b"56789"]) == CHECK[algorithm]


@pytest.mark.parametrize("algorithm", ["crc32c", "crc64nvme"])
def test_a_crc_of_the_library_is_the_same_in_large_blocks_and_in_small_ones(algorithm: str) -> None:
    data = os.urandom(20_011)
    small = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    assert digest(algorithm, [data]) == digest(algorithm, small)


@given(st.lists(st.binary(max_size=50)), st.integers(1, 17))
def test_an_aws_chunked_body_decodes_whatever_pieces_it_comes_in(chunks: list[bytes], size: int) -> None:
    content = b"".join(chunks)
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    body += b"0\r\nX-Amz-Checksum-Crc32: %s\r\n\r\n" % base64.b64encode(
        zlib.crc32(content).to_bytes(4, "big")
    )
    decoder = Decoder()
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert b"".join(found for piece in pieces for found in decoder.feed(piece)) == content
    assert decoder.complete
    assert list(decoder.trailer) == ["x-amz-checksum-crc32"]


@pytest.mark.parametrize("body", [b"zz\r\n", b"-5\r\nabc", b"3\r\nabcdef\r\n", b"\r\n", b"1" * 9000])
def test_a_malformed_aws_chunked_body_is_refused(body: bytes) -> None:
    with pytest.raises(AwsError, match="malformed"):
        list(Decoder().feed(body))
