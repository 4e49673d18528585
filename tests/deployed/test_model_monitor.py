"""Model Monitor's code as a user has it, with nothing but `gatehouse local env`: the SDK's monitors.

An endpoint that captures, a suggested baseline, a schedule of data quality and one of model quality, their
executions, what violates the baseline, and the end of it all; and QualityCheck steps in a pipeline.
"""

from __future__ import annotations

from typing import Any

SERVED = """
import io, json, tarfile, time, boto3

SCRIPT = '''
def model_fn(model_dir):
    return None
def input_fn(body, content_type):
    return [line.split(",") for line in body.split()]
def predict_fn(rows, model):
    return [1 if float(row[0]) > 30 else 0 for row in rows]
def output_fn(prediction, accept):
    return "".join(f"{value}\\\\n" for value in prediction), "text/csv"
'''
sagemaker, s3, runtime = (boto3.client(name) for name in ("sagemaker", "s3", "sagemaker-runtime"))
packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w:gz") as tar:
    member = tarfile.TarInfo("code/inference.py")
    member.size = len(SCRIPT)
    tar.addfile(member, io.BytesIO(SCRIPT.encode()))

def serve(bucket, name, image, role):
    s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=packed.getvalue())
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={
        "Image": image, "ModelDataUrl": f"s3://{bucket}/model.tar.gz",
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py",
                        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}})
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[{
        "VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large"}], DataCaptureConfig={
            "EnableCapture": True, "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{bucket}/captures",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]}})
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})

def ask(bucket, name, ages):
    for number, age in enumerate(ages):
        runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Accept="text/csv",
                                InferenceId=f"request-{number}", Body=f"{age},{'ab'[number % 2]}\\n")
    captured = 0
    while captured < len(ages):
        time.sleep(0.5)
        found = s3.list_objects_v2(Bucket=bucket, Prefix=f"captures/{name}/").get("Contents", [])
        captured = sum(s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().count(b"\\n")
                       for one in found)
"""

MONITORS = (
    SERVED
    + """
from datetime import datetime, timezone

from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.model_monitor import (
    CronExpressionGenerator, DatasetFormat, DefaultModelMonitor, EndpointInput, ModelQualityMonitor,
)

session, role = Session(), get_execution_role()
bucket = session.default_bucket()
serve(bucket, "watched", image_uris.retrieve("xgboost", session.boto_region_name, version="3.0-5"), role)
ages = [(number * 7) % 60 + 30 for number in range(60)]
ask(bucket, "watched", ages)
printed = {}

def ended(monitor):
    while True:
        described = monitor.describe_schedule()
        last = described.get("LastMonitoringExecutionSummary")
        if last and last["MonitoringExecutionStatus"] not in ("Pending", "InProgress"):
            return last
        time.sleep(0.5)

same = dict(role=role, instance_count=1, instance_type="ml.m5.xlarge", volume_size_in_gb=20,
            max_runtime_in_seconds=600, sagemaker_session=session)
now = dict(schedule_cron_expression=CronExpressionGenerator.now(),
           data_analysis_start_time="-PT2H", data_analysis_end_time="-PT0H")

with open("baseline.csv", "w") as file:
    file.write("label,age,plan\\n")
    file.writelines(f"{int(n % 60 > 30)},{n % 60},{'ab'[n % 2]}\\n" for n in range(600))
monitor = DefaultModelMonitor(**same)
monitor.suggest_baseline(baseline_dataset="baseline.csv", dataset_format=DatasetFormat.csv(header=True),
                         output_s3_uri=f"s3://{bucket}/baseline", wait=True, logs=False)
printed["baseline"] = monitor.baseline_statistics().body_dict["dataset"]["item_count"]
printed["constraints"] = {one["name"]: one["inferred_type"]
                          for one in monitor.suggested_constraints().body_dict["features"]}
monitor.create_monitoring_schedule(
    monitor_schedule_name="data",
    endpoint_input=EndpointInput("watched", "/opt/ml/processing/input/endpoint"),
    output_s3_uri=f"s3://{bucket}/reports", statistics=monitor.baseline_statistics(),
    constraints=monitor.suggested_constraints(), enable_cloudwatch_metrics=True, **now)
printed["execution"] = ended(monitor)["MonitoringExecutionStatus"]
printed["executions"] = len(monitor.list_executions())
printed["violations"] = [
    [one["feature_name"], one["constraint_check_type"]]
    for one in monitor.latest_monitoring_constraint_violations().body_dict["violations"]]
printed["rows"] = monitor.latest_monitoring_statistics().body_dict["dataset"]["item_count"]
monitor.stop_monitoring_schedule()
printed["stopped"] = monitor.describe_schedule()["MonitoringScheduleStatus"]
attached = DefaultModelMonitor.attach("data", session)
attached.update_monitoring_schedule(schedule_cron_expression=CronExpressionGenerator.daily(hour=3))
printed["updated"] = attached.describe_schedule()["MonitoringScheduleConfig"]["ScheduleConfig"]
attached.start_monitoring_schedule()
printed["started"] = attached.describe_schedule()["MonitoringScheduleStatus"]
attached.delete_monitoring_schedule()

with open("answers.csv", "w") as file:
    file.write("label,prediction\\n")
    file.writelines(f"{n % 2},{n % 2}\\n" for n in range(300))
quality = ModelQualityMonitor(**same)
quality.suggest_baseline(
    baseline_dataset="answers.csv", dataset_format=DatasetFormat.csv(header=True),
    output_s3_uri=f"s3://{bucket}/answers", problem_type="BinaryClassification",
    inference_attribute="prediction", ground_truth_attribute="label", wait=True, logs=False)
printed["limits"] = quality.suggested_constraints().body_dict["binary_classification_constraints"]["recall"]
labels = [{"groundTruthData": {"data": str(int(age > 50)), "encoding": "CSV"},
           "eventMetadata": {"eventId": f"request-{number}"}, "eventVersion": "0"}
          for number, age in enumerate(ages)]
hour = datetime.now(timezone.utc).strftime("%Y/%m/%d/%H")
s3.put_object(Bucket=bucket, Key=f"truth/{hour}/labels.jsonl",
              Body="\\n".join(json.dumps(label) for label in labels))
quality.create_monitoring_schedule(
    monitor_schedule_name="model", ground_truth_input=f"s3://{bucket}/truth",
    endpoint_input=EndpointInput("watched", "/opt/ml/processing/input/endpoint", inference_attribute="0"),
    problem_type="BinaryClassification", output_s3_uri=f"s3://{bucket}/reports",
    constraints=quality.suggested_constraints(), **now)
printed["quality"] = ended(quality)["MonitoringExecutionStatus"]
printed["worse"] = sorted(one["metric_name"] for one in
                          quality.latest_monitoring_constraint_violations().body_dict["violations"])
quality.delete_monitoring_schedule()
printed["left"] = [
    len(sagemaker.list_monitoring_schedules()["MonitoringScheduleSummaries"]),
    len(sagemaker.list_data_quality_job_definitions()["JobDefinitionSummaries"]),
    len(sagemaker.list_model_quality_job_definitions()["JobDefinitionSummaries"]),
    len(sagemaker.list_monitoring_executions()["MonitoringExecutionSummaries"])]
print(json.dumps(printed))
"""
)

PIPELINE = """
import json

from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.model_monitor import DatasetFormat
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterBoolean
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.check_job_config import CheckJobConfig
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.quality_check_step import (
    DataQualityCheckConfig, ModelQualityCheckConfig, QualityCheckStep,
)

session, role = PipelineSession(), get_execution_role()
bucket = session.default_bucket()
client = session.sagemaker_client
with open("rows.csv", "w") as file:
    file.write("label,prediction,age\\n")
    file.writelines(f"{n % 2},{int(n % 20 > 1) * (n % 2)},{n % 60}\\n" for n in range(600))
first = ParameterBoolean(name="First", default_value=True)
job = CheckJobConfig(role=role, instance_count=1, instance_type="ml.m5.xlarge", sagemaker_session=session)
same = dict(check_job_config=job, skip_check=first, register_new_baseline=first)

def results(step):
    values = ["s3:/", bucket, ExecutionVariables.PIPELINE_EXECUTION_ID, step]
    return dict(baseline_dataset="rows.csv", dataset_format=DatasetFormat.csv(header=True),
                output_s3_uri=Join(on="/", values=values))

data = QualityCheckStep(name="Data", quality_check_config=DataQualityCheckConfig(**results("data")), **same)
model = QualityCheckStep(
    name="Model", depends_on=[data], fail_on_violation=False, **same,
    quality_check_config=ModelQualityCheckConfig(
        **results("model"), problem_type="BinaryClassification", inference_attribute="prediction",
        ground_truth_attribute="label"))
pipeline = Pipeline(name="checks", parameters=[first], steps=[data, model], sagemaker_session=session)
pipeline.upsert(role_arn=role)
execution = pipeline.start()
execution.wait(delay=1, max_attempts=300)
printed = {one["StepName"]: one["Metadata"]["QualityCheck"] for one in execution.list_steps()}

def supplied(step):
    return {f"supplied_baseline_{name.lower()}": printed[step][f"CalculatedBaseline{name}"]
            for name in ("Statistics", "Constraints")}

again = QualityCheckStep(name="Again", quality_check_config=DataQualityCheckConfig(**results("again")),
                         check_job_config=job, **supplied("Data"))
Pipeline(name="again", steps=[again], sagemaker_session=session).upsert(role_arn=role)
second = Pipeline(name="again", steps=[again], sagemaker_session=session).start()
second.wait(delay=1, max_attempts=300)
printed["Again"] = second.list_steps()[0]["Metadata"]["QualityCheck"]
print(json.dumps(printed))
"""


def test_the_sdks_monitors_suggest_baselines_and_run_on_schedules(kept_up: Any) -> None:
    found = kept_up.run(MONITORS)
    worse = found.pop("worse")
    assert found == {
        "baseline": 600,
        "constraints": {"label": "Integral", "age": "Integral", "plan": "String"},
        "execution": "CompletedWithViolations",
        "executions": 1,
        "violations": [["label", "baseline_drift_check"], ["age", "baseline_drift_check"]],
        "rows": 60,
        "stopped": "Stopped",
        "updated": {"ScheduleExpression": "cron(0 3 ? * * *)"},
        "started": "Scheduled",
        "limits": {"threshold": 1.0, "comparison_operator": "LessThanThreshold"},
        "quality": "CompletedWithViolations",
        "left": [0, 0, 0, 2],
    }
    assert {"accuracy", "precision", "false_positive_rate"} <= set(worse)


def test_quality_check_steps_of_the_sdk_run_in_a_pipeline(kept_up: Any) -> None:
    found = kept_up.run(PIPELINE)
    assert {name: step["CheckType"] for name, step in found.items()} == {
        "Data": "DATA_QUALITY",
        "Model": "MODEL_QUALITY",
        "Again": "DATA_QUALITY",
    }
    for name in ("Data", "Model"):
        assert found[name]["BaselineUsedForDriftCheckStatistics"].endswith(f"/{name.lower()}/statistics.json")
    used = found["Again"]["BaselineUsedForDriftCheckConstraints"]
    assert used == found["Data"]["CalculatedBaselineConstraints"]
    assert found["Again"]["ViolationReport"].endswith("/again/constraint_violations.json")
