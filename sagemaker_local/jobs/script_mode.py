"""What the XGBoost and scikit-learn images' training toolkit does before the user's script starts.

With the hyperparameters ``sagemaker_program`` and ``sagemaker_submit_directory`` those images fetch and
unpack the user's code to /opt/ml/code and run its program with the other hyperparameters as arguments
and the job's layout in ``SM_*`` variables (sagemaker-containers 2.8, ``_env.py`` and ``_mapping.py``).
Unlike there, a ``requirements.txt`` is not installed: the log names what it asks for and is missing.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CODE = "/opt/ml/code"
_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^]]*\])?\s*(?:==\s*([^\s;,#]+))?")


@dataclass(frozen=True)
class Script:
    """What the two hyperparameters name.

    Attributes:
        program: the script's path inside the code folder.
        submit_directory: where the code is: an S3 URI, or a path inside the container.
    """

    program: str
    submit_directory: str


def script_of(hyperparameters: Mapping[str, str]) -> Script | None:
    """The user's script, or None where the image's built-in algorithm is asked for."""
    program = decoded(hyperparameters.get("sagemaker_program", "null"))
    if program is None:
        return None
    return Script(str(program), str(decoded(hyperparameters.get("sagemaker_submit_directory", '""'))))


def decoded(value: str) -> Any:
    """A hyperparameter as the SDK meant it: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def user_hyperparameters(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Those that the script is given; a tuning job's own is for algorithms of AWS's."""
    return {
        name: decoded(value)
        for name, value in hyperparameters.items()
        if not name.startswith("sagemaker_") and name != "_tuning_objective_metric"
    }


def arguments(values: Mapping[str, Any]) -> list[str]:
    """Command line arguments, by name; ``-k`` for names of one letter; dicts as ``a=1,b=2``."""
    result = []
    for name, value in sorted(values.items()):
        result.append(f"--{name}" if len(name) > 1 else f"-{name}")
        if isinstance(value, dict):
            result.append(",".join(f"{key}={item}" for key, item in sorted(value.items())))
        else:
            result.append(str(value))
    return result


def command(program: str, values: Mapping[str, Any]) -> list[str]:
    if program.endswith(".py"):
        return ["python", program, *arguments(values)]
    return ["/bin/sh", "-c", './"$0" "$@"', program, *arguments(values)]


def make_runnable(program: Path) -> None:
    """What is not interpreted is executed: the toolkit allows that, whatever the archive's mode bits say."""
    if program.suffix != ".py":
        program.chmod(program.stat().st_mode | 0o111)


def variables(
    *,
    job: str,
    image: str,
    script: Script,
    hyperparameters: Mapping[str, str],
    input_data_config: Mapping[str, Any],
    resource_config: Mapping[str, Any],
) -> dict[str, str]:
    """The ``SM_*`` variables of one instance, and the ``PYTHONPATH`` with the code on it."""
    values = user_hyperparameters(hyperparameters)
    channels = {name: f"/opt/ml/input/data/{name}" for name in sorted(input_data_config)}
    library = "sagemaker_xgboost_container" if "xgboost" in image else "sagemaker_sklearn_container"
    current, hosts = resource_config["current_host"], resource_config["hosts"]
    interface = resource_config["network_interface_name"]
    module = script.program.removesuffix(".py")
    common = {
        "current_host": current,
        "hosts": hosts,
        "network_interface_name": interface,
        "resource_config": resource_config,
        "input_data_config": input_data_config,
        "input_dir": "/opt/ml/input",
        "input_config_dir": "/opt/ml/input/config",
        "output_dir": "/opt/ml/output",
        "output_data_dir": "/opt/ml/output/data",
        "output_intermediate_dir": "/opt/ml/output/intermediate",
        "model_dir": "/opt/ml/model",
        "module_dir": script.submit_directory,
        "module_name": module,
        "framework_module": f"{library}.training:main",
        "log_level": decoded(hyperparameters.get("sagemaker_container_log_level", "20")),
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": 0,
        "user_entry_point": script.program,
    }
    training = common | {
        "additional_framework_parameters": {},
        "channel_input_dirs": channels,
        "hyperparameters": values,
        "is_master": current == hosts[0],
        "master_hostname": hosts[0],
        "job_name": job,
    }
    members = common | {
        "channels": list(channels),
        "hps": values,
        "user_args": arguments(values),
        "framework_params": {},
        "training_env": training,
    }
    members |= {f"channel_{name}": folder for name, folder in channels.items()}
    members |= {f"hp_{name}": value for name, value in values.items()}
    result = {f"SM_{name.upper()}": _text(value) for name, value in members.items()}
    return result | {"PYTHONPATH": CODE}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def missing_requirements(requirements: Path) -> list[str]:
    """Lines of a requirements.txt that the current environment does not satisfy, by name and ``==``."""
    missing = []
    for line in requirements.read_text(errors="replace").splitlines():
        match = _REQUIREMENT.match(line)
        if match is None:
            continue
        name, pinned = match.groups()
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(line.strip())
            continue
        if pinned is not None and pinned != installed:
            missing.append(f"{line.strip()} (installed: {installed})")
    return missing
