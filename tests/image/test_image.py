"""The three programs and the serving code with what AWS's image holds: its Python, its libraries, its server.

`make test-image` sets that environment up. Nobody can run the image itself here; this is what is published of
it. The serving software is given no network, and what it answers is compared, byte for byte, with what the
local SageMaker answers.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from hosting_place import Place, pack
from program_runs import as_csv, mixed_rows, run_all
from serving_software import PYTHON, Answer, Unserved, ask, registered_environment, toolkit

from sagemaker_local import endpoint

HEADER = ["amount", "visits", "shop", "member", "day"]
ROW = "3.5,17,shop 1,true,2024-03-01 10:00:00\n"
RECORD = {"amount": 3.5, "visits": 17, "shop": "shop 1", "member": True, "day": "2024-03-01T10:00:00"}
CSV, JSON, PARQUET = "text/csv", "application/json", "application/x-parquet"


def parquet(**columns: Any) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.table({name: pa.array([value]) for name, value in columns.items()}), written)
    return written.getvalue()


def document(value: object) -> bytes:
    return json.dumps(value).encode()


GOOD: dict[str, tuple[bytes, str | None, str | None]] = {
    "CSV to CSV": (ROW.encode(), CSV, CSV),
    "CSV to JSON": (ROW.encode(), CSV, JSON),
    "CSV, nothing accepted": (ROW.encode(), CSV, None),
    "CSV, anything accepted": (ROW.encode(), CSV, "*/*"),
    "contributions": (ROW.encode(), CSV, "application/json; contributions=true"),
    "a list of accepted types": (ROW.encode(), CSV, "image/png, text/csv;q=0.5"),
    "a charset": (ROW.encode(), "text/csv; charset=utf-8", CSV),
    "another spelling of the type": (ROW.encode(), "Text/CSV", CSV),
    "a byte order mark": (b"\xef\xbb\xbf" + ROW.encode(), CSV, CSV),
    "no end of the line": (ROW.strip().encode(), CSV, CSV),
    "Windows' ends of lines": ((ROW.strip() + "\r\n").encode() * 3, CSV, CSV),
    "a header": ((",".join(HEADER) + "\n" + ROW).encode(), CSV, CSV),
    "empty fields": (b",,,,\n", CSV, CSV),
    "blank lines": (b"\n" + ROW.encode() + b"\n\n" + ROW.encode() + b"\n", CSV, CSV),
    "many rows": (ROW.encode() * 2000, CSV, JSON),
    "a category that is not UTF-8": (ROW.replace("shop 1", "shop \xff").encode("latin-1"), CSV, CSV),
    "JSON": (document([RECORD]), JSON, JSON),
    "JSON without a type": (document([RECORD]), None, None),
    "JSON with a charset": (document({"instances": [RECORD]}), "application/json; charset=utf-8", CSV),
    "JSON columns": (document({"columns": {name: [value] for name, value in RECORD.items()}}), JSON, JSON),
    "one JSON object": (document(RECORD), JSON, JSON),
    "JSON with a text beyond ASCII": (document([{**RECORD, "shop": "Käse\u2028"}]), JSON, JSON),
    "Parquet": (parquet(**RECORD), PARQUET, CSV),
}
BAD: dict[str, tuple[bytes, str | None, str | None]] = {
    "too few fields": (b"1,2\n", CSV, CSV),
    "too many fields": (b"1,2,3,4,5,6,7,8\n", CSV, JSON),
    "a word for a number": (ROW.replace("3.5", "much").encode(), CSV, CSV),
    "a word for a number among many": (ROW.encode() * 100 + b"x,1,a,true,\n", CSV, CSV),
    "no boolean": (ROW.replace("true", "perhaps").encode(), CSV, CSV),
    "no timestamp": (ROW.replace("2024-03-01 10:00:00", "today").encode(), CSV, CSV),
    "nothing": (b"", CSV, CSV),
    "a header alone": ((",".join(HEADER) + "\n").encode(), CSV, CSV),
    "a column twice": (b"amount,amount,visits,shop,member,day\n1,1,1,1,1,\n", CSV, CSV),
    "a header in another spelling": ((",".join(HEADER).upper() + "\n" + ROW).encode(), CSV, CSV),
    "a quotation mark that is not closed": (ROW.encode() + b'"' + ROW.encode() * 100, CSV, CSV),
    "a name twice in an object": (document(RECORD)[:-1] + b', "amount": 1}', JSON, JSON),
    "a number that is not UTF-8": (ROW.replace("3.5", "\xff").encode("latin-1"), CSV, CSV),
    "not UTF-8, with a charset": (b"\xff", "text/csv; charset=utf-8", CSV),
    "a field of 200 KB": (f'"{"x" * 200_000}",1,a,true,\n'.encode(), CSV, CSV),
    "no JSON": (b"{", JSON, JSON),
    "no JSON, no type": (ROW.encode(), None, None),
    "a number as JSON": (b"3", JSON, JSON),
    "a list of numbers": (b"[3]", JSON, JSON),
    "no rows": (b"[]", JSON, JSON),
    "JSON 200 000 deep": (b"[" * 200_000, JSON, JSON),
    "a feature that is not there": (document([{"amount": 1}]), JSON, JSON),
    "an object for a number": (document([{**RECORD, "amount": {"a": 1}}]), JSON, JSON),
    "half a character": (
        b'[{"amount": "\\ud800", "visits": 1, "shop": 1, "member": 1, "day": ""}]',
        JSON,
        JSON,
    ),
    "a column without its name": (document({"columns": {"amount": [1]}}), JSON, JSON),
    "no Parquet": (b"PAR1", PARQUET, CSV),
    "Parquet of a wrong type": (parquet(**{**RECORD, "amount": [1]}), PARQUET, CSV),
    "another type": (b"<rows/>", "application/xml", CSV),
    "no type at all": (ROW.encode(), ";", CSV),
    "an answer as a picture": (ROW.encode(), CSV, "image/png"),
}

ODD = """
import json
from werkzeug.wrappers import Response
class Application:
    def __call__(self, environ, start_response):
        start_response("202 ACCEPTED", [("Content-Type", "application/x-mine")])
        return [environ["REQUEST_METHOD"].encode(), b" ", environ["wsgi.input"].read()]
def fail(error):
    raise error
ANSWERS = {
    "pair": lambda: ("1,2\\n", "text/csv"),
    "json pair": lambda: ("[]", "application/json"),
    "bytes": lambda: (b"\\x00\\xff", "application/octet-stream"),
    "xml": lambda: ("<a/>", "application/atom+xml"),
    "charset": lambda: ("a", "text/plain; charset=utf-8"),
    "no type": lambda: ("[]", None),
    "no body": lambda: (None, "text/plain"),
    "parts": lambda: (["a", b"b", "\\u00e9"], "text/plain"),
    "generated": lambda: ((part for part in "ab"), "text/plain"),
    "text": lambda: "a text",
    "raw": lambda: b"raw",
    "dictionary": lambda: {"b": [1.5, None, "\\u00e9"], "a": True},
    "list": lambda: [{"b": 1}, 2],
    "generator": lambda: iter(["a", "b"]),
    "application": Application,
    "response": lambda: Response("teapot", status=418, mimetype="text/plain"),
    "refusal": lambda: Response("row 1", status=400, content_type="text/plain; charset=utf-8"),
    "none": lambda: None,
    "number": lambda: 3,
    "ValueError": lambda: fail(ValueError("wrong")),
    "KeyError": lambda: fail(KeyError("wrong")),
}
def model_fn(folder):
    return folder
def input_fn(body, content_type):
    return body
def predict_fn(data, model):
    return ANSWERS[data]()
def output_fn(prediction, accept):
    return prediction
"""
ANSWERS = [line.split('"')[1] for line in ODD.splitlines() if line.startswith('    "')]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the three programs make with the image's Python and libraries; the folder of the model."""
    header, rows = mixed_rows(1500)
    folder = tmp_path_factory.mktemp("run")
    outputs = run_all(
        folder,
        as_csv(header, rows),
        {"task": "binary", "target": "y", "positive_class": "yes"},
        {"num_round": "30", "max_depth": "4"},
        python=str(PYTHON),
    )
    assert "passed" in outputs[-1]
    return folder / "model"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Path]]:
    home = tmp_path_factory.mktemp("local") / "home"
    with endpoint.start(home) as running:
        yield Place(running.url), home


@pytest.fixture(scope="module")
def servers(
    model: Path, local: tuple[Place, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Path]]:
    """The sockets of the image's serving software and of the local endpoint, over the programs' artifact."""
    folder = tmp_path_factory.mktemp("toolkit")
    shutil.copytree(model, folder / "model")
    files = {
        path.relative_to(model).as_posix(): path.read_bytes() for path in model.rglob("*") if path.is_file()
    }
    with toolkit(folder, registered_environment()) as image:
        yield image, served(local, "programs", files)


@pytest.fixture(scope="module")
def odd_servers(
    local: tuple[Place, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Path]]:
    """The same for a script that returns whatever a script may return."""
    folder = tmp_path_factory.mktemp("odd")
    code = folder / "model/code"
    code.mkdir(parents=True)
    for name in ("code_wheel.py", "pyproject.toml"):
        shutil.copy(Path(__file__).resolve().parents[2] / "training" / name, code)
    (code / "inference.py").write_text(ODD)
    with toolkit(folder, registered_environment()) as image:
        yield image, served(local, "odd", {"code/inference.py": ODD.encode()})


def served(local: tuple[Place, Path], name: str, files: dict[str, bytes]) -> Path:
    """The socket of an endpoint's only model server."""
    place, home = local
    before = set(home.rglob("server.sock"))
    place.serve(
        name, place.container(place.put(f"{name}/model.tar.gz", pack(files)), registered_environment())
    )
    (socket,) = set(home.rglob("server.sock")) - before
    return socket


def test_the_environment_has_the_images_python_or_nothing_is_known_of_it() -> None:
    done = subprocess.run([str(PYTHON), "--version"], capture_output=True, text=True, check=True)
    if not done.stdout.startswith("Python 3.12."):
        pytest.skip(f"there is no Python 3.12 here, so {done.stdout.strip()} stands in for the image's")


@pytest.mark.parametrize("case", GOOD)
def test_a_request_is_answered_alike_by_the_image_and_here(servers: tuple[Path, Path], case: str) -> None:
    image, here = (ask(server, *GOOD[case]) for server in servers)
    assert image.status == 200, image
    assert image == here


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_refused_alike_by_the_image_and_here(servers: tuple[Path, Path], case: str) -> None:
    image, here = (ask(server, *BAD[case]) for server in servers)
    assert (image.status, image.content_type) == (400, "text/plain; charset=utf-8"), image
    assert image == here
    assert image.body


@pytest.mark.parametrize("case", ANSWERS)
def test_what_a_script_returns_is_answered_alike(odd_servers: tuple[Path, Path], case: str) -> None:
    image, here = (ask(server, case.encode(), CSV, JSON) for server in odd_servers)
    assert image == here


def test_a_client_of_the_local_endpoint_gets_the_images_refusal(
    servers: tuple[Path, Path], local: tuple[Place, Path]
) -> None:
    body, content_type, accept = BAD["a word for a number"]
    with pytest.raises(ClientError) as error:
        local[0].runtime.invoke_endpoint(
            EndpointName="programs", Body=body, ContentType=content_type, Accept=accept
        )
    told = error.value.response
    text = told["OriginalMessage"].encode()
    assert Answer(told["OriginalStatusCode"], "text/plain; charset=utf-8", text) == ask(
        servers[0], *BAD["a word for a number"]
    )


def test_code_without_a_build_backend_of_its_own_does_not_come_up_without_network(tmp_path: Path) -> None:
    """What the backend in the artifact is for: pip would fetch setuptools."""
    code = tmp_path / "model/code"
    code.mkdir(parents=True)
    (code / "inference.py").write_text(ODD)
    with pytest.raises(Unserved, match="setuptools"), toolkit(tmp_path, registered_environment()):
        pass
