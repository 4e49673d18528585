"""Processing jobs: what they are given, what is kept of what they leave, and how they fail."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from sagemaker_local.errors import AwsError
from sagemaker_local.execution import retry

FOREIGN = "example.com/team/image:1"
IN, OUT = "/opt/ml/processing/input", "/opt/ml/processing/output"


def test_inputs_lie_under_their_local_paths_and_outputs_are_uploaded(bench: Any) -> None:
    bench.put("raw/a.csv", "1")
    bench.put("raw/deep/b.csv", "2")
    bench.put("code/main.py", "print('hello')")
    job = bench.processing(
        f"cd {IN}; python3 -S code/main.py; cat raw/a.csv raw/deep/b.csv > {OUT}/all/sum.txt;"
        f" mkdir {OUT}/all/x; echo y > {OUT}/all/x/y",
        inputs={
            "raw": ("s3://bucket/raw", f"{IN}/raw"),
            "code": ("s3://bucket/code/main.py", f"{IN}/code"),
        },
        outputs={"all": ("s3://bucket/out/", f"{OUT}/all")},
    )
    ended = bench.ended(job)
    assert ended["ProcessingJobStatus"] == "Completed", ended
    assert bench.keys("out") == ["out/sum.txt", "out/x/y"]
    assert bench.get("out/sum.txt") == "12"
    assert "hello" in bench.log(job)
    described = bench.call("DescribeProcessingJob", ProcessingJobName=job)
    assert described["CreationTime"] <= described["ProcessingStartTime"] <= described["ProcessingEndTime"]
    assert "FailureReason" not in described


def test_a_job_finds_its_configuration_and_a_clean_environment(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_USER", "x")
    job = bench.processing(
        f"cat /opt/ml/config/processingjobconfig.json > {OUT}/job;"
        f" cat /opt/ml/config/resourceconfig.json > {OUT}/resources; env > {OUT}/environment;"
        f" ls -A $HOME $TMPDIR; command -v python3 pip3; pwd > {OUT}/folder;"
        f" echo {'y' * 2000} > /opt/ml/output/message",
        outputs={"o": ("s3://bucket/o", OUT)},
        Environment={"MINE": "Größe 1", "LANG": "en"},
    )
    ended = bench.ended(job)
    assert ended["ProcessingJobStatus"] == "Completed", ended
    assert json.loads(bench.get("o/job"))["ProcessingJobName"] == job
    resources = json.loads(bench.get("o/resources"))
    assert (resources["current_host"], resources["hosts"]) == ("algo-1", ["algo-1"])
    environment = dict(line.split("=", 1) for line in bench.get("o/environment").splitlines())
    assert "SECRET_OF_THE_USER" not in environment
    assert environment["MINE"] == "Größe 1"
    assert environment["LANG"] == "en"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["USER"] == "root"
    assert environment["OPENBLAS_THREAD_TIMEOUT"] == "4"
    assert environment["HOME"].startswith("/opt/ml/")
    assert environment["PATH"].startswith(str(sys.executable).rpartition("/")[0] + ":")
    assert ended["ExitMessage"] == "y" * 1024


def test_an_s3_uri_selects_by_prefix_as_on_aws(bench: Any) -> None:
    for key in ("d/train", "d/train/a", "d/train-old/b", "d/other", "d/train/folder/"):
        bench.put(key, key)
    job = bench.processing(
        f"cd {IN}; find . -type f -exec cat {{}} + > {OUT}/x; find . -type f | sort > {OUT}/names",
        inputs={"i": ("s3://bucket/d/train-", IN)},
        outputs={"o": ("s3://bucket/o", OUT)},
    )
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed"
    assert bench.get("o/names") == "./train-old/b\n"
    clash = bench.ended(bench.processing("true", inputs={"i": ("s3://bucket/d/train", IN)}))
    assert clash["ProcessingJobStatus"] == "Completed"  # train, a, train-old/b: no two of one name


@pytest.mark.parametrize("uri", ["s3://bucket/nothing", "s3://no-such-bucket/x"])
def test_an_input_without_objects_fails_with_the_uri(bench: Any, uri: str) -> None:
    ended = bench.ended(bench.processing("true", inputs={"i": (uri, IN)}))
    assert ended["ProcessingJobStatus"] == "Failed"
    assert ended["FailureReason"].startswith(f'ClientError: No S3 objects found under S3 URL "{uri}"')


def test_an_object_key_cannot_leave_the_jobs_folder(bench: Any) -> None:
    bench.put("in/../../../../evil", "x")
    ended = bench.ended(bench.processing("true", inputs={"i": ("s3://bucket/in/", IN)}))
    assert ended["FailureReason"].startswith("ClientError: The S3 key 'in/../../../../evil'")


@pytest.mark.parametrize("path", ["/tmp/data", "/opt/ml/../../etc", "/opt/mlx"])
def test_a_local_path_outside_opt_ml_is_refused_clearly(bench: Any, path: str) -> None:
    bench.put("a", "1")
    for direction in ("inputs", "outputs"):
        ended = bench.ended(bench.processing("true", **{direction: {"i": ("s3://bucket/a", path)}}))
        assert ended["ProcessingJobStatus"] == "Failed"
        assert f"local path {path}" in ended["FailureReason"]
        assert ended["FailureReason"].startswith("ClientError: ")


def test_an_output_bucket_that_does_not_exist_is_named_before_the_work_starts(bench: Any) -> None:
    job = bench.processing("echo ran", outputs={"o": ("s3://nowhere/x", OUT)})
    assert "bucket 'nowhere' does not exist" in bench.ended(job)["FailureReason"]
    assert not (bench.home.jobs / "processing-job" / job / "algo-1" / "log").exists()


def test_a_failing_script_fails_with_its_exit_code_and_the_end_of_its_log(bench: Any) -> None:
    ended = bench.ended(bench.processing("echo first; echo 'ValueError: bad row' >&2; exit 3"))
    assert ended["ProcessingJobStatus"] == "Failed"
    assert ended["FailureReason"] == "AlgorithmError: first\nValueError: bad row, exit code: 3"


def test_a_long_log_keeps_its_end_in_the_failure_reason(bench: Any) -> None:
    ended = bench.ended(bench.processing("seq 1 5000; exit 1"))
    assert len(ended["FailureReason"]) <= 1024
    assert ended["FailureReason"].endswith("4999\n5000, exit code: 1")


def test_a_message_of_the_job_is_its_failure_reason(bench: Any) -> None:
    ended = bench.ended(
        bench.processing("echo noise; echo 'no target column' > /opt/ml/output/message; exit 1")
    )
    assert ended["FailureReason"] == "AlgorithmError: no target column, exit code: 1"
    assert ended["ExitMessage"] == "no target column"


def test_a_killed_process_is_reported_with_its_signal(bench: Any) -> None:
    ended = bench.ended(bench.processing("kill -9 $$"))
    assert ended["FailureReason"] == (
        "AlgorithmError: the job's program ended without a message and without any output,"
        " killed by SIGKILL, exit code: 137"
    )


def test_a_warning_about_the_image_is_not_the_reason_of_a_failure(bench: Any) -> None:
    silent = bench.processing("exit 3", image=FOREIGN)
    assert bench.ended(silent)["FailureReason"] == (
        "AlgorithmError: the job's program ended without a message and without any output, exit code: 3"
    )
    assert FOREIGN in bench.log(silent), "the log says that the image was not pulled"
    talking = bench.ended(bench.processing("echo out of range; exit 3", image=FOREIGN))
    assert talking["FailureReason"] == "AlgorithmError: out of range, exit code: 3"


def test_a_program_that_does_not_exist_is_named(bench: Any) -> None:
    ended = bench.ended(bench.processing(["no-such-program"]))
    assert ended["FailureReason"] == (
        "AlgorithmError: cannot run no-such-program: No such file or directory, exit code: 127"
    )


def test_an_output_folder_that_was_removed_is_an_error_and_an_empty_one_a_remark(bench: Any) -> None:
    gone = bench.ended(bench.processing(f"rmdir {OUT}/x", outputs={"x": ("s3://bucket/o", f"{OUT}/x")}))
    assert gone["FailureReason"].startswith(f"ClientError: output 'x': {OUT}/x is no folder any more")
    empty = bench.processing("true", outputs={"x": ("s3://bucket/o", f"{OUT}/x")})
    assert bench.ended(empty)["ProcessingJobStatus"] == "Completed"
    assert f"output 'x': {OUT}/x is empty" in bench.log(empty)


@pytest.mark.parametrize(
    "command",
    [
        "rmdir {output}/x; ln -s /etc {output}/x",
        "rm -r {output}; mkdir -p {elsewhere}/x; touch {elsewhere}/x/file; ln -s {elsewhere} {output}",
    ],
)
def test_an_output_folder_that_leads_out_of_the_job_is_refused(bench: Any, command: str) -> None:
    command = command.format(output=OUT, elsewhere=bench.folder / "elsewhere")
    ended = bench.ended(bench.processing(command, outputs={"x": ("s3://bucket/o", f"{OUT}/x")}))
    assert ended["ProcessingJobStatus"] == "Failed"
    assert f"output 'x': {OUT}/x is no folder any more on algo-1, or leads out" in ended["FailureReason"]
    assert bench.keys("o/") == []


def test_an_output_that_holds_only_links_out_of_the_job_is_refused(bench: Any) -> None:
    output = {"x": ("s3://bucket/o", f"{OUT}/x")}
    ended = bench.ended(bench.processing(f"ln -s /etc {OUT}/x/configuration", outputs=output))
    assert ended["ProcessingJobStatus"] == "Failed"
    assert "links that lead to no file of the job: configuration" in ended["FailureReason"]
    trained = bench.trained(bench.training("rmdir /opt/ml/model; ln -s /etc /opt/ml/model"))
    assert trained["TrainingJobStatus"] == "Failed"
    assert "the model: /opt/ml/model is no folder any more" in trained["FailureReason"]


def test_links_in_an_output_are_followed_inside_the_job_only(bench: Any) -> None:
    job = bench.processing(
        f"cd {OUT}; echo data > real; ln -s real relative; ln -s {OUT}/real absolute; ln -s /etc/passwd out;"
        " ln -s nothing dangling; mkfifo pipe; ln real hard",
        outputs={"o": ("s3://bucket/o", OUT)},
    )
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed"
    assert bench.keys("o/") == ["o/absolute", "o/hard", "o/real", "o/relative"]
    assert {bench.get(key) for key in bench.keys("o/")} == {"data\n"}
    assert all(f"left out {name}" in bench.log(job) for name in ("out", "dangling", "pipe"))


def test_several_instances_share_or_split_their_inputs(bench: Any) -> None:
    for number in range(5):
        bench.put(f"in/{number}", str(number))
    job = bench.processing(
        f"cat {IN}/whole/* > {OUT}/$(hostname)-whole; ls {IN}/whole; getent hosts algo-2",
        inputs={"w": ("s3://bucket/in/", f"{IN}/whole")},
        outputs={"o": ("s3://bucket/o", OUT)},
        instances=2,
    )
    ended = bench.ended(job)
    assert ended["ProcessingJobStatus"] in ("Completed", "Failed")
    assert {path.name for path in (bench.home.jobs / "processing-job" / job).iterdir()} >= {
        "algo-1",
        "algo-2",
    }


def test_shards_by_key_cover_everything_once(bench: Any) -> None:
    for number in range(5):
        bench.put(f"in/{number}", str(number))
    name = bench.name()
    bench.call(
        "CreateProcessingJob",
        ProcessingJobName=name,
        RoleArn="arn:aws:iam::000000000000:role/local",
        ProcessingResources={
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
        },
        AppSpecification={
            "ImageUri": "x/sagemaker-scikit-learn:1.8-0",
            "ContainerEntrypoint": [
                *("python3", "-S", "-c"),
                "import json, os;"
                "host = json.load(open('/opt/ml/config/resourceconfig.json'))['current_host'];"
                f"open('{OUT}/' + host, 'w').write(' '.join(sorted(os.listdir('{IN}'))))",
            ],
        },
        ProcessingInputs=[
            {
                "InputName": "i",
                "S3Input": {
                    "S3Uri": "s3://bucket/in/",
                    "LocalPath": IN,
                    "S3DataType": "S3Prefix",
                    "S3DataDistributionType": "ShardedByS3Key",
                },
            }
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "o",
                    "S3Output": {"S3Uri": "s3://bucket/o", "LocalPath": OUT, "S3UploadMode": "Continuous"},
                }
            ]
        },
    )
    ended = bench.ended(name)
    assert ended["ProcessingJobStatus"] == "Completed", ended
    assert (bench.get("o/algo-1"), bench.get("o/algo-2")) == ("0 2 4", "1 3")


def test_one_failing_instance_fails_the_job_and_stops_the_others(bench: Any) -> None:
    code = (
        "import json, sys, time;"
        "host = json.load(open('/opt/ml/config/resourceconfig.json'))['current_host'];"
        "sys.exit('broken') if host == 'algo-2' else time.sleep(600)"
    )
    ended = bench.ended(bench.processing(["python3", "-S", "-c", code], instances=2))
    assert ended["ProcessingJobStatus"] == "Failed"
    assert ended["FailureReason"] == "AlgorithmError: algo-2: broken, exit code: 1"
    assert ended["ProcessingEndTime"] - ended["ProcessingStartTime"] < 20


def test_a_completed_job_keeps_its_log_and_a_failed_one_everything(bench: Any) -> None:
    good, bad = bench.processing("echo fine"), bench.processing(f"echo x > {IN}/../f; exit 1")
    bench.ended(good)
    bench.ended(bad)
    assert bench.log(good) == "fine\n"
    assert not bench.ml(good).exists()
    assert bench.ml(bad).exists()


def test_names_are_unique_and_lists_are_filtered_and_paged(bench: Any) -> None:
    names = [bench.processing("true") for _ in range(3)]
    bad = bench.processing("false")
    for name in (*names, bad):
        bench.ended(name)
    bench._made -= 1
    with pytest.raises(AwsError) as refused:
        bench.processing("true")
    assert refused.value.code == "ResourceInUse"
    page = bench.call("ListProcessingJobs", MaxResults=2)
    assert [item["ProcessingJobName"] for item in page["ProcessingJobSummaries"]] == names[:2]
    rest = bench.call("ListProcessingJobs", NextToken=page["NextToken"])
    assert [item["ProcessingJobName"] for item in rest["ProcessingJobSummaries"]] == [names[2], bad]
    failed = bench.call("ListProcessingJobs", StatusEquals="Failed", NameContains="job")
    assert [item["ProcessingJobName"] for item in failed["ProcessingJobSummaries"]] == [bad]
    newest = bench.call("ListProcessingJobs", SortBy="Name", SortOrder="Descending", MaxResults=1)
    assert newest["ProcessingJobSummaries"][0]["ProcessingJobName"] == bad


@pytest.mark.parametrize("verb", ["Describe", "Stop"])
@pytest.mark.parametrize(
    ("job", "words"),
    [("Processing", "Could not find requested job with name"), ("Training", "Requested resource")],
)
def test_a_job_that_does_not_exist_is_said_with_the_code_that_the_service_really_gives(
    bench: Any, verb: str, job: str, words: str
) -> None:
    with pytest.raises(AwsError, match=words) as caught:
        bench.call(f"{verb}{job}Job", **{f"{job}JobName": "none"})
    assert caught.value.code == "ValidationException"


@pytest.mark.parametrize("kind", ["Input", "Output"])
def test_two_inputs_or_outputs_of_one_name_are_refused_at_creation(bench: Any, kind: str) -> None:
    place = {"S3Uri": "s3://bucket/x", "LocalPath": "/opt/ml/processing/x"}
    inputs = [{"InputName": "x", "S3Input": place | {"S3DataType": "S3Prefix", "S3InputMode": "File"}}]
    outputs = [{"OutputName": "x", "S3Output": place | {"S3UploadMode": "EndOfJob"}}]
    twice = {
        "Input": {"ProcessingInputs": inputs * 2},
        "Output": {"ProcessingOutputConfig": {"Outputs": outputs * 2}},
    }
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    with pytest.raises(AwsError, match=f"{kind}Name has to be unique within a job: 'x'") as refused:
        bench.call(
            "CreateProcessingJob",
            ProcessingJobName="twice",
            RoleArn="arn:aws:iam::111122223333:role/Jobs",
            ProcessingResources={"ClusterConfig": cluster},
            AppSpecification={"ImageUri": "example.com/any:1", "ContainerEntrypoint": ["true"]},
            **twice[kind],
        )
    assert refused.value.code == "ValidationException"


def test_what_is_not_done_here_is_refused_at_creation(bench: Any) -> None:
    with pytest.raises(AwsError, match="entry point of the image") as refused:
        bench.call(
            "CreateProcessingJob",
            ProcessingJobName="x",
            RoleArn="arn:aws:iam::000000000000:role/local",
            ProcessingResources={
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
            AppSpecification={"ImageUri": "some/image"},
        )
    assert refused.value.status == 501
    with pytest.raises(AwsError, match=r"more than 20 instances .* is not implemented") as refused:
        bench.processing("true", instances=21)
    assert retry.call_exception_type(refused.value) is None, "no retry policy waits for it"
    assert bench.call("ListProcessingJobs")["ProcessingJobSummaries"] == []
