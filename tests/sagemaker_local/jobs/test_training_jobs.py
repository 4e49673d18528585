"""Training jobs: channels, configuration files, the model and the metrics they leave, script mode."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import runpy
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sagemaker_local.errors import AwsError

MODEL = "/opt/ml/model"


def packed(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
    return buffer.getvalue()


def unpacked(bench: Any, key: str) -> dict[str, bytes]:
    with tarfile.open(bench.objects.stat("bucket", key).path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def test_a_training_job_finds_its_channels_and_leaves_a_model(bench: Any) -> None:
    bench.put("data/train/a.csv", "1")
    job = bench.training(
        f"cat /opt/ml/input/data/train/a.csv > {MODEL}/model.bin; mkdir {MODEL}/code;"
        f" echo c > {MODEL}/code/i.py;"
        f" cp /opt/ml/input/config/*.json {MODEL}/; echo $TRAINING_JOB_NAME $TRAINING_JOB_ARN > {MODEL}/job;"
        " echo extra > /opt/ml/output/data/extra",
        channels={"train": "s3://bucket/data/train"},
        hyperparameters={"max_depth": "5"},
    )
    ended = bench.trained(job)
    assert ended["TrainingJobStatus"] == "Completed", ended
    assert ended["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://bucket/models/{job}/output/model.tar.gz"
    model = unpacked(bench, f"models/{job}/output/model.tar.gz")
    assert (model["model.bin"], model["code/i.py"]) == (b"1", b"c\n")
    assert json.loads(model["hyperparameters.json"]) == {"max_depth": "5"}
    assert json.loads(model["inputdataconfig.json"])["train"]["S3DistributionType"] == "FullyReplicated"
    assert json.loads(model["resourceconfig.json"])["hosts"] == ["algo-1"]
    assert model["job"].decode().split() == [job, ended["TrainingJobArn"]]
    assert unpacked(bench, f"models/{job}/output/output.tar.gz") == {"extra": b"extra\n"}
    described = bench.call("DescribeTrainingJob", TrainingJobName=job)
    assert described["SecondaryStatus"] == "Completed"
    phases = [item["Status"] for item in described["SecondaryStatusTransitions"]]
    assert phases == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all(item["StartTime"] <= item["EndTime"] for item in described["SecondaryStatusTransitions"])
    assert described["TrainingStartTime"] <= described["TrainingEndTime"]


def test_the_same_model_gives_the_same_archive(bench: Any) -> None:
    jobs = [bench.training(f"echo b > {MODEL}/b; echo a > {MODEL}/a; sleep 0.0{n}") for n in range(2)]
    for job in jobs:
        assert bench.trained(job)["TrainingJobStatus"] == "Completed"
    first, second = (bench.objects.stat("bucket", f"models/{job}/output/model.tar.gz").etag for job in jobs)
    assert first == second


def test_a_model_can_be_kept_uncompressed(bench: Any) -> None:
    output = {"S3OutputPath": "s3://bucket/m/", "CompressionType": "NONE"}
    job = bench.training(f"echo a > {MODEL}/a; ln -s a {MODEL}/b", OutputDataConfig=output)
    artifacts = bench.trained(job)["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifacts == f"s3://bucket/m/{job}/output/model/"
    assert bench.keys("m") == [f"m/{job}/output/model/a", f"m/{job}/output/model/b"]


def test_the_failure_file_is_the_failure_reason(bench: Any) -> None:
    ended = bench.trained(bench.training("echo 'only one class' > /opt/ml/output/failure; exit 1"))
    assert ended["FailureReason"] == "AlgorithmError: only one class, exit code: 1"
    assert ended["SecondaryStatus"] == "Failed"
    assert ended["SecondaryStatusTransitions"][-1]["StatusMessage"] == ended["FailureReason"]


def test_an_empty_channel_fails_with_its_uri(bench: Any) -> None:
    ended = bench.trained(bench.training("true", channels={"train": "s3://bucket/none"}))
    assert 'No S3 objects found under S3 URL "s3://bucket/none"' in ended["FailureReason"]


def test_final_metrics_are_the_last_that_the_log_shows(bench: Any) -> None:
    job = bench.training(
        'for i in 1 2 3; do echo "[$i] train-auc:0.$i valid-auc:nan"; done',
        algorithm={
            "MetricDefinitions": [
                {"Name": "train:auc", "Regex": r"train-auc:(\S+)"},
                {"Name": "valid:auc", "Regex": r"valid-auc:(\S+)"},
            ]
        },
    )
    (metric,) = bench.trained(job)["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("train:auc", 0.3)
    with pytest.raises(AwsError, match="is no regular expression"):
        bench.training("true", algorithm={"MetricDefinitions": [{"Name": "m", "Regex": "("}]})


def test_a_tab_of_the_log_is_what_cloudwatch_makes_of_it(bench: Any) -> None:
    """Expressions that were written for AWS's logs name it by its code."""
    definitions = [{"Name": "m", "Regex": r".*\[[0-9]+\].*#011validation-auc:(\S+)"}]
    job = bench.training(
        "printf '[0]\\ttrain-auc:0.8\\tvalidation-auc:0.7\\n'", algorithm={"MetricDefinitions": definitions}
    )
    assert [metric["Value"] for metric in bench.trained(job)["FinalMetricDataList"]] == [0.7]


def test_models_of_several_instances_are_one_and_the_first_wins(bench: Any) -> None:
    code = (
        "import json; host = json.load(open('/opt/ml/input/config/resourceconfig.json'))['current_host'];"
        f"open('{MODEL}/' + host, 'w').write(host); open('{MODEL}/model', 'w').write(host)"
    )
    job = bench.training(["python3", "-S", "-c", code], instances=2)
    assert bench.trained(job)["TrainingJobStatus"] == "Completed"
    model = unpacked(bench, f"models/{job}/output/model.tar.gz")
    assert model == {"algo-1": b"algo-1", "algo-2": b"algo-2", "model": b"algo-1"}


SCRIPT = """
import json, os, sys
found = {name: value for name, value in os.environ.items() if name.startswith("SM_")}
import beside
seen = {"argv": sys.argv, "sm": found, "cwd": os.getcwd()}
json.dump(seen, open(os.environ["SM_MODEL_DIR"] + "/seen", "w"))
"""


@pytest.mark.parametrize(
    "image",
    [
        "1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0",
        "1.dkr.ecr.x.y/sagemaker-scikit-learn:1.8-0",
    ],
)
def test_script_mode_runs_the_users_script_as_the_images_do(bench: Any, image: str) -> None:
    bench.put("data/a", "1")
    bench.put(
        "code/sourcedir.tar.gz",
        packed({"train.py": SCRIPT, "beside.py": "", "requirements.txt": "pandas\nno-such-package==1\n"}),
    )
    job = bench.training(
        None,
        image=image,
        channels={"train": "s3://bucket/data"},
        hyperparameters={
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": '"s3://bucket/code/sourcedir.tar.gz"',
            "num_round": "50",
            "eta": "0.20",
            "objective": '"binary:logistic"',
            "k": "true",
        },
    )
    ended = bench.trained(job)
    assert ended["TrainingJobStatus"] == "Completed", ended
    seen = json.loads(unpacked(bench, f"models/{job}/output/model.tar.gz")["seen"])
    expected = [
        "train.py",
        "--eta",
        "0.2",
        "-k",
        "True",
        "--num_round",
        "50",
        "--objective",
        "binary:logistic",
    ]
    assert seen["argv"] == expected
    sm = seen["sm"]
    assert json.loads(sm["SM_USER_ARGS"]) == expected[1:]
    assert json.loads(sm["SM_HPS"]) == {
        "num_round": 50,
        "eta": 0.2,
        "objective": "binary:logistic",
        "k": True,
    }
    assert (sm["SM_HP_ETA"], sm["SM_HP_OBJECTIVE"]) == ("0.2", "binary:logistic")
    assert json.loads(sm["SM_CHANNELS"]) == ["train"]
    assert sm["SM_CHANNEL_TRAIN"].endswith("/input/data/train")
    assert (json.loads(sm["SM_HOSTS"]), sm["SM_CURRENT_HOST"]) == (["algo-1"], "algo-1")
    assert sm["SM_MODULE_DIR"] == "s3://bucket/code/sourcedir.tar.gz"
    assert json.loads(sm["SM_NUM_CPUS"]) == os.cpu_count()
    assert json.loads(sm["SM_TRAINING_ENV"])["job_name"] == job
    assert "missing: no-such-package==1" in bench.log(job, "training-job")
    wanted = """SM_MODEL_DIR SM_OUTPUT_DATA_DIR SM_NUM_GPUS SM_NETWORK_INTERFACE_NAME SM_RESOURCE_CONFIG
        SM_INPUT_DATA_CONFIG SM_INPUT_DIR SM_INPUT_CONFIG_DIR SM_OUTPUT_DIR SM_LOG_LEVEL SM_MODULE_NAME
        SM_USER_ENTRY_POINT"""
    assert set(wanted.split()) <= set(sm)


def test_script_mode_executes_a_program_that_is_no_python(bench: Any) -> None:
    launcher = '#!/bin/bash\necho "$@" > "$SM_MODEL_DIR/seen"\n'
    bench.put("launch/sourcedir.tar.gz", packed({"launcher.sh": launcher}))
    hyperparameters = {
        "sagemaker_program": '"launcher.sh"',
        "sagemaker_submit_directory": '"s3://bucket/launch/sourcedir.tar.gz"',
        "model_archive": '"model.tar.gz"',
    }
    job = bench.training(None, hyperparameters=hyperparameters)
    ended = bench.trained(job)
    assert ended["TrainingJobStatus"] == "Completed", ended
    seen = unpacked(bench, f"models/{job}/output/model.tar.gz")["seen"]
    assert seen.split() == [b"--model_archive", b"model.tar.gz"]


def test_script_mode_refuses_an_archive_that_leaves_its_folder(bench: Any) -> None:
    bench.put("sourcedir.tar.gz", packed({"../../evil.py": "", "train.py": ""}))
    hyperparameters = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": "s3://bucket/sourcedir.tar.gz",
    }
    ended = bench.trained(bench.training(None, hyperparameters=hyperparameters))
    assert ended["FailureReason"].startswith(
        "ClientError: sagemaker_submit_directory s3://bucket/sourcedir.tar.gz"
    )
    assert "evil.py" in ended["FailureReason"]
    bench.put("sourcedir.tar.gz", packed({"other.py": ""}))
    ended = bench.trained(bench.training(None, hyperparameters=hyperparameters))
    assert "holds no train.py" in ended["FailureReason"]


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"image": "example.com/other:1"}, "entry point of the image example.com/other:1"),
        ({"algorithm": {"TrainingInputMode": "Pipe"}, "command": "true"}, "input mode Pipe"),
    ],
)
def test_what_training_does_not_do_here_is_refused_at_creation(bench: Any, members: Any, says: str) -> None:
    with pytest.raises(AwsError, match=says) as refused:
        bench.training(**{"command": None, "channels": {"train": "s3://bucket/x"}, **members})
    assert refused.value.status == 501


def test_no_instance_and_two_channels_of_one_name_are_refused_at_creation(bench: Any) -> None:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/x"}}
    channels = [{"ChannelName": "train", "DataSource": source}] * 2
    with pytest.raises(AwsError, match="needs an InstanceCount of 1 at least") as refused:
        bench.training("true", instances=0)
    assert refused.value.code == "ValidationException"
    with pytest.raises(AwsError, match="ChannelName has to be unique within a job: 'train'") as refused:
        bench.training("true", InputDataConfig=channels)
    assert refused.value.code == "ValidationException"


def test_a_foreign_image_runs_here_with_a_warning_or_in_the_interpreter_named_for_it(
    bench: Any, tmp_path: Path
) -> None:
    code = ["python3", "-S", "-c", "import sys; print('python', sys.argv[1:])", "x"]
    job = bench.processing(code, image="example.com/team/torch:2")
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed"
    assert "example.com/team/torch:2 is not here: the job runs in" in bench.log(job)
    python = tmp_path / "their" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "their interpreter: $@"\n')
    python.chmod(0o755)
    bench.interpreters["*/team/*"] = str(python)
    job = bench.processing(code, image="example.com/team/torch:2")
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed"
    assert bench.log(job) == "their interpreter: -S -c import sys; print('python', sys.argv[1:]) x\n"
    bench.interpreters["*/team/*"] = "/no/such/python"
    ended = bench.ended(bench.processing(code, image="example.com/team/torch:2"))
    assert "interpreter for images like '*/team/*'" in ended["FailureReason"]


def test_an_image_of_another_version_is_pointed_out(bench: Any) -> None:
    job = bench.processing("true", image="1.dkr.ecr.x.y/sagemaker-xgboost:1.7-1")
    bench.ended(job)
    assert "holds xgboost 1.7.4;" in bench.log(job)
    assert "holds Python 3.10; this is 3.1" in bench.log(job)
    scikit = bench.processing("true", image="1.dkr.ecr.x.y/sagemaker-scikit-learn:1.2-1-cpu-py3")
    bench.ended(scikit)
    assert "holds scikit-learn 1.2;" in bench.log(scikit)
    same = bench.processing("true", image="1.dkr.ecr.x.y/sagemaker-xgboost:3.2-0-cpu-py3")
    bench.ended(same)
    assert bench.log(same) == ""


SM_TRAIN = """
#!/bin/bash
set -e
cd /opt/ml/input/data/code
SM_PYTHON_CMD=$(command -v python3 || command -v python)
SM_PIP_CMD=$(command -v pip3 || command -v pip)
[[ -n "$SM_PIP_CMD" ]]
$SM_PYTHON_CMD -S train.py
"""


def test_the_shape_of_the_sdks_source_code_runs_as_it_is(bench: Any) -> None:
    bench.put("sm_drivers/sm_train.sh", SM_TRAIN)
    bench.put("code/train.py", f"open('{MODEL}/m', 'w').write('trained')")
    script = "/opt/ml/input/data/sm_drivers/sm_train.sh"
    job = bench.training(
        ["/bin/bash"],
        channels={"code": "s3://bucket/code", "sm_drivers": "s3://bucket/sm_drivers/"},
        algorithm={"ContainerArguments": ["-c", f"chmod +x {script} && {script}"]},
    )
    ended = bench.trained(job)
    assert ended["TrainingJobStatus"] == "Completed", ended
    assert unpacked(bench, f"models/{job}/output/model.tar.gz") == {"m": b"trained"}


def test_the_sdks_own_drivers_run_a_script_with_its_hyperparameters(bench: Any) -> None:
    spec = importlib.util.find_spec("sagemaker")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    sdk = Path(spec.submodule_search_locations[0])
    drivers = sdk / "core/modules/train/container_drivers"
    for path in drivers.rglob("*.py"):
        bench.put(f"sm_drivers/{path.relative_to(drivers)}", path.read_bytes())
    templates = runpy.run_path(str(sdk / "train/templates.py"))
    script = templates["TRAIN_SCRIPT_TEMPLATE"].format(
        working_dir="cd /opt/ml/input/data/code",
        install_requirements="",
        execute_driver=templates["EXECUTE_BASIC_SCRIPT_DRIVER"],
    )
    bench.put("sm_drivers/sm_train.sh", script)
    bench.put("sm_drivers/sourcecode.json", json.dumps({"entry_script": "train.py"}))
    bench.put("code/train.py", f"import sys; open('{MODEL}/m', 'w').write(' '.join(sys.argv[1:]))")
    path = "/opt/ml/input/data/sm_drivers/sm_train.sh"
    job = bench.training(
        ["/bin/bash"],
        channels={"code": "s3://bucket/code", "sm_drivers": "s3://bucket/sm_drivers/"},
        hyperparameters={"max_depth": "5", "eta": "0.2"},
        algorithm={"ContainerArguments": ["-c", f"chmod +x {path} && {path}"]},
    )
    ended = bench.trained(job)
    assert ended["TrainingJobStatus"] == "Completed", bench.log(job, "training-job")
    model = unpacked(bench, f"models/{job}/output/model.tar.gz")
    assert model == {"m": b"--max_depth 5 --eta 0.2"}


RUNPROC = """#!/bin/bash
set -e
cd /opt/ml/processing/input/code/
tar -xzf sourcedir.tar.gz
python3 -S process.py "$@"
"""


def test_the_shape_of_the_sdks_framework_processor_runs_as_it_is(bench: Any) -> None:
    bench.put("source/sourcedir.tar.gz", packed({"process.py": "import sys; print('args', sys.argv[1:])"}))
    bench.put("runproc.sh", RUNPROC)
    job = bench.processing(
        ["/bin/bash", "/opt/ml/processing/input/entrypoint/runproc.sh", "--rows", "3"],
        inputs={
            "code": ("s3://bucket/source/", "/opt/ml/processing/input/code/"),
            "entrypoint": ("s3://bucket/runproc.sh", "/opt/ml/processing/input/entrypoint"),
        },
    )
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed"
    assert "args ['--rows', '3']" in bench.log(job)


def test_pip_installs_nothing_into_this_machines_environment_unasked(bench: Any) -> None:
    bench.put("requirements.txt", "no-such-package-anywhere\n")
    job = bench.processing(
        ["python3", "-m", "pip", "install", "-r", "/opt/ml/processing/input/requirements.txt"],
        inputs={"r": ("s3://bucket/requirements.txt", "/opt/ml/processing/input")},
    )
    ended = bench.ended(job)
    assert ended["ProcessingJobStatus"] == "Failed"
    assert "No matching distribution found for no-such-package-anywhere" in ended["FailureReason"]


def test_a_model_that_cannot_be_kept_leaves_no_archive_behind(bench: Any, wait_until: Any) -> None:
    go = bench.folder / "go"
    job = bench.training(f"echo m > /opt/ml/model/m; while [ ! -e {go} ]; do sleep 0.02; done")
    wait_until(lambda: (bench.ml(job, "training-job") / "model" / "m").exists(), "the model is there")
    bench.objects.delete_bucket("bucket")
    go.touch()
    assert "model.tar.gz cannot be kept at" in bench.trained(job)["FailureReason"]
    assert list((bench.home.jobs / "training-job" / job / "algo-1").glob("*.tar.gz")) == []
