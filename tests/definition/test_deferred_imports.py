"""The SDK's import loads no library that no definition uses; whoever uses one through the SDK gets it whole.

In processes of their own: what is loaded is a matter of the whole process.
"""

from __future__ import annotations

import subprocess
import sys

BEFORE = """
import sys, threading
from pipelines.definition.compile import LIBRARIES, begin_imports

begin_imports()
[thread.join() for thread in threading.enumerate() if thread.name == "imports"]
assert set(LIBRARIES) <= sys.modules.keys()
from pipelines.definition import sagemaker_sdk

unused = {"docker", "graphql", "numpy", "omegaconf", "pandas", "psutil", "scipy", "tqdm"}
assert not unused & sys.modules.keys(), unused & sys.modules.keys()
"""
AFTER = """
from sagemaker.core.serializers.base import CSVSerializer, SparseMatrixSerializer

assert CSVSerializer().serialize([[1, 2]]) == "1,2"  # it asks whether that is a DataFrame
import docker, pandas, scipy.sparse

assert CSVSerializer().serialize(pandas.DataFrame({"a": [1], "b": [2]})) == "1,2\\n"
sparse = SparseMatrixSerializer().serialize(scipy.sparse.csr_matrix([[0, 3]]))
assert scipy.sparse.load_npz(__import__("io").BytesIO(sparse)).toarray().tolist() == [[0, 3]]

from sagemaker.core.deserializers.base import PandasDeserializer
from sagemaker.serve.mode import local_container_mode

frame = PandasDeserializer().deserialize(__import__("io").BytesIO(b"a,b\\n1,2\\n"), "text/csv")
assert isinstance(frame, pandas.DataFrame) and frame.shape == (1, 2)
assert local_container_mode.docker.errors.NotFound is docker.errors.NotFound
try:
    local_container_mode.docker.DockerClient(base_url="unheard-of://")
except docker.errors.DockerException:
    pass

from sagemaker.core.experiments import run
from sagemaker.core.serializers.base import NumpySerializer
from sagemaker.serve.utils import local_hardware, uploader
from sagemaker.train.sm_recipes import utils
import numpy, omegaconf, psutil, tqdm

assert numpy.load(__import__("io").BytesIO(NumpySerializer().serialize([1, 2]))).tolist() == [1, 2]
assert run.array([1, 2]).sum() == 3
utils._register_custom_resolvers()
assert omegaconf.OmegaConf.create({"a": "${multiply:2,3}"}).a == 6
assert utils.OmegaConf.create({"a": 1}) == utils.dictconfig.DictConfig({"a": 1})
assert local_hardware.psutil.virtual_memory().total == psutil.virtual_memory().total
assert uploader.tqdm.tqdm is tqdm.tqdm
"""


def runs(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_a_definition_needs_none_of_them_and_they_come_when_they_are_used() -> None:
    runs(BEFORE + AFTER)


def test_what_is_imported_beforehand_is_what_the_sdk_imports() -> None:
    program = """
import sys
from pipelines.definition import compile, sagemaker_sdk
assert set(compile.LIBRARIES) <= sys.modules.keys(), set(compile.LIBRARIES) - sys.modules.keys()
"""
    runs(program)


def test_a_library_that_is_loaded_already_is_the_sdks_too() -> None:
    runs("import pandas\nfrom pipelines.definition import sagemaker_sdk\n" + AFTER)


def test_a_shape_refuses_what_it_does_not_know_as_ever() -> None:
    runs(
        BEFORE
        + """
from pydantic import BaseModel, ValidationError
from sagemaker.core.shapes import Tag

assert Tag(key="a", value="b").model_dump() == {"key": "a", "value": "b"}
try:
    Tag(key="a", worth="b")
except ValidationError as error:
    assert "worth" in str(error)
else:
    raise AssertionError("accepted")

class Own(BaseModel):
    size: int

assert Own.__pydantic_complete__, "the models of others are built as ever"
"""
    )
