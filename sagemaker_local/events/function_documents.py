"""Functions' documents and the folders of their code, for the operations and for templates alike.

A function's code is a folder: one below the state, with the content of a zip file or a template's inline
source, or one that a template names and that is run where it lies.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local import clocks
from sagemaker_local.home import Home
from sagemaker_local.store import Document, Store

FUNCTION = "function"
"""Kind of the documents: the configuration's members and ``_Code``, the folder of the code."""

TIMEOUT, MEMORY = 3, 128
"""Lambda's defaults: seconds, MB."""


def put_function(store: Store, region: str, configuration: Document, folder: Path) -> Document:
    """Create or replace a function whose code is a folder; returns its document."""
    name = configuration["FunctionName"]
    known = store.get(FUNCTION, region, name) or {}
    document = {
        **{key: value for key, value in configuration.items() if value is not None},
        "FunctionArn": f"arn:aws:lambda:{region}:{LOCAL_ACCOUNT}:function:{name}",
        "Version": "$LATEST",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "LastModified": clocks.utc_now().isoformat(timespec="milliseconds"),
        "CreationTime": known.get("CreationTime", clocks.now()),
        "_Code": str(folder.absolute()),
    }
    store.put(FUNCTION, region, name, document)
    return document


def delete_function(home: Home, store: Store, region: str, name: str) -> None:
    """Delete a function, and its code if that lies below the state."""
    store.delete(FUNCTION, region, name)
    shutil.rmtree(_folder(home, region, name), ignore_errors=True)


def sweep_code(home: Home, store: Store) -> None:
    """Remove code that no function has; to be called where no other process works on the home."""
    used = {document["_Code"] for document in store.list(FUNCTION)}
    for folder in (home.root / "functions").glob("*/*/code/*"):
        if str(folder.absolute()) not in used:
            shutil.rmtree(folder, ignore_errors=True)


def code_folder(home: Home, region: str, name: str, content: bytes) -> Path:
    """Where code with this content lies; other code of the same function lies elsewhere."""
    return _folder(home, region, name) / hashlib.sha256(content).hexdigest()[:16]


def write_inline_code(home: Home, region: str, name: str, source: str) -> Path:
    """A folder with index.py, for a function whose source stands in a template."""
    folder = code_folder(home, region, name, source.encode())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "index.py").write_text(source)
    return folder


def _folder(home: Home, region: str, name: str) -> Path:
    return home.root / "functions" / region / name / "code"
