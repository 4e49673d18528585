"""The pipeline, read from top to bottom: what SageMaker is told to do, in which order, with what.

    parameters -> PreprocessData -> TrainModel -> EvaluateModel -> CheckAccuracy -+-> ModelRefused
                                                                                  +-> FindSameVersion
    FindSameVersion -> CheckIfNew -> RegisterModel

With ``processing = "sharded"`` in the settings, ProfileData and SplitData come before PreprocessData. With a
tuning table, TuneModel stands in the place of TrainModel (``tuning``). With a champion in the gate's
settings, FindChampion comes before EvaluateModel. It and FindSameVersion look something up in
the registry by a Lambda function, because the jobs may have no network. With ``data.query``, QueryData comes
first (``query``).

Settings and sources go in; the SDK's own ``Pipeline`` comes out, so that a notebook can ``upsert()``,
``start()`` and watch it, against AWS or against the local endpoint. ``compile`` takes the document
from it for everything else. The same settings and sources give the same bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aws_formats.arns import parse_arn
from evaluation.metric_table import METRICS, path_of
from pipelines.definition import limits
from pipelines.definition import sagemaker_sdk as sdk
from pipelines.definition.bucket import ensure_bucket
from pipelines.definition.bundles import Bundle, publish_bundles
from pipelines.definition.dataset import publish_data
from pipelines.definition.image import check_image
from pipelines.definition.model_card import model_card
from pipelines.definition.query import query_step
from pipelines.definition.sources import Sources, gather_sources
from pipelines.definition.tuning import tuning_step
from pipelines.settings.hyperparameters import Value, as_text
from pipelines.settings.project import AtStart, Network, Project, Training, camel_case
from pipelines.settings.tables import Table
from pipelines.settings.tags import resource_tags
from pipelines.settings.target import Target, boto_session
from registry.life_cycle import REVIEW

PROCESSING = "/opt/ml/processing"
PARQUET, JSON_TYPE, CSV = "application/x-parquet", "application/json", "text/csv"
APPROVAL = ("PendingManualApproval", "Approved", "Rejected")  # the first is the default
_LOSSES = {"binary": "logloss", "multiclass": "mlogloss", "regression": "rmse"}  # what train.py prints
JOB_PREFIX_LIMIT = (
    39  # of a job's 63 characters: SageMaker Pipelines adds its own, as the SDK leaves room for
)
ENVIRONMENT = {"PYTHONUNBUFFERED": "1"}  # so that a crash loses no line of the log


@dataclass(frozen=True)
class Parameters:
    """What can be set at each start, with the settings' values as defaults.

    Attributes:
        instances: types and counts of the jobs' instances, by their keys in the settings.
        threshold: of the gate's metric; ``AccuracyThreshold`` for accuracy.
        register_again: whether a model that is registered already becomes a version once more; None where the
            settings say that it always does.
        hyperparameters: those of XGBoost, under the names that ``train.py`` knows, less those that are tuned.
    """

    input_data_uri: Any
    dataset_version: Any
    instances: Mapping[str, Any]
    threshold: Any
    model_approval_status: Any
    register_again: Any
    hyperparameters: Mapping[str, Any]

    def declared(self) -> list[Any]:
        """All of them, in the order of the definition."""
        origin = [self.input_data_uri, self.dataset_version]
        gate = [self.threshold, self.model_approval_status]
        gate += [self.register_again] if self.register_again else []
        return [*origin, *self.instances.values(), *gate, *self.hyperparameters.values()]


@dataclass(frozen=True)
class Context:
    """What every step of one pipeline shares.

    Attributes:
        data_uri: where the raw data lies: a parameter, or what a query gave.
    """

    project: Project
    target: Target
    sources: Sources
    session: sdk.PipelineSession
    parameters: Parameters
    image: str
    data_uri: Any

    @property
    def cache(self) -> Any:
        return sdk.CacheConfig(enable_caching=True, expire_after=self.project.cache_expire_after)

    @property
    def reads_a_prefix(self) -> bool:
        """Whether the raw data is what lies at a prefix in S3 that others write: its name does not say what
        it holds, as that of uploaded files and of a query's result does."""
        dataset = self.sources.dataset
        return bool(dataset.uri) and not dataset.files

    @property
    def seconds(self) -> int:
        """The longest that one job may take."""
        return self.project.max_runtime_hours * 3600

    def output(self, step: str, name: str) -> Any:
        """An S3 prefix of its own for each execution, step and output."""
        root = f"s3://{self.target.bucket}/{self.project.name}/executions"
        return sdk.Join(on="/", values=[root, sdk.ExecutionVariables.PIPELINE_EXECUTION_ID, step, name])

    def checkpoints(self, preprocess: Any) -> Any:
        """Where trainings on one preprocessing's output leave checkpoints: an S3 prefix.

        It is part of the step cache's key, so it must not name the execution, which would end all caching.
        The preprocessing job stands in that key already, by its outputs: a retry finds the same one, and so
        does an execution that the cache gave its outputs. The checkpoints themselves say what they fit.
        """
        root = f"s3://{self.target.bucket}/{self.project.name}/executions/checkpoints"
        return sdk.Join(on="/", values=[root, preprocess.properties.ProcessingJobName])

    def function(self, name: str) -> str:
        """The ARN of a function that the pipeline calls (``automation/templates/pipeline.yaml``)."""
        return function_arn(self.project, self.target, name)

    def job_prefix(self, step: str) -> str:
        """What the name of a step's job begins with."""
        return job_prefix(self.project, step)

    def uri(self, bundle: Bundle) -> str:
        """Where the bundle's files lie for a job."""
        return bundle.uri(self.target.bucket)


def function_arn(project: Project, target: Target, name: str) -> str:
    """The ARN of a function that a pipeline of the project calls."""
    partition = parse_arn(target.role_arn).partition
    return f"arn:{partition}:lambda:{target.region}:{target.account}:function:{project.name}-{name}"


def job_prefix(project: Project, step: str) -> str:
    """What the name of a step's job begins with: the project, by which policies tell jobs apart."""
    return f"{project.name}-{step.lower()}"[:JOB_PREFIX_LIMIT].rstrip("-")


def build(
    project: Project,
    target: Target,
    session: sdk.PipelineSession | None = None,
    sources: Sources | None = None,
) -> sdk.GatedPipeline:
    """The project's pipeline as an object of the SDK, for notebooks and for ``compile``.

    Creating, updating or upserting it uploads the code and the data that it refers to first.

    Args:
        session: the SDK's session; without one, the user's own in AWS, and one that speaks to the
            target's endpoint (or ``AWS_ENDPOINT_URL``) locally.
        sources: what to compile; without it, what ``gather_sources`` finds.

    Raises:
        GatehouseError: the data or a program is missing, the programs do not run on the image, or AWS would
            not take the definition.
    """
    check_image(project)
    sources = sources or gather_sources(project, target)
    session = session or sdk.pipeline_session(boto_session(target), target.bucket)
    parameters = _parameters(project, sources)
    with sdk.undisturbed(target.region):
        context = Context(
            project=project,
            target=target,
            sources=sources,
            session=session,
            parameters=parameters,
            image=sdk.xgboost_image(target.region, project.image_version),
            data_uri=parameters.input_data_uri,
        )
        query = _query(context)
        if query is not None:
            context = replace(context, data_uri=query.properties.Outputs["DataUri"])
        *before, preprocess = _preprocess(context)
        train = _train(context, preprocess)
        if project.tuning is not None:
            train = tuning_step(project, target.bucket, train)
        statistics, verdict = (
            sdk.PropertyFile(name=name.capitalize(), output_name="evaluation", path=f"{name}.json")
            for name in ("statistics", "verdict")
        )
        champion = _find_champion(context, train) if project.gate.champion else None
        evaluate = _evaluate(context, preprocess, train, champion, [statistics, verdict])
        register = _register(context, preprocess, train, evaluate)
        candidate = _unless_registered(context, preprocess, evaluate, register)
        gate = _gate(context, evaluate, statistics, verdict, candidate)
    return sdk.GatedPipeline(
        name=project.name,
        description=project.description,
        region=target.region,
        role_arn=target.role_arn,
        tags=resource_tags(project, target),
        # The SDK would ask for an experiment, which the role may not make and nothing here reads.
        pipeline_experiment_config=None,
        mlflow_config=_mlflow(project),
        parameters=parameters.declared(),
        steps=[
            *([query] if query else []),
            *before,
            preprocess,
            train,
            *([champion] if champion else []),
            evaluate,
            gate,
        ],
        sagemaker_session=session,
        check=limits.check_definition,
        publish=lambda: _publish(context),
    )


def _mlflow(project: Project) -> sdk.MlflowConfig | None:
    """Where executions are tracked, in an experiment of the project's name; a start can name another."""
    if project.mlflow is None:
        return None
    return sdk.MlflowConfig(mlflow_resource_arn=project.mlflow, mlflow_experiment_name=project.name)


def _publish(context: Context) -> None:
    s3 = context.session.boto_session.client("s3")
    ensure_bucket(context.target, s3)
    publish_bundles(context.sources.bundles, context.target.bucket, s3)
    publish_data(context.sources.dataset, context.target, s3)


# --- Parameters ------------------------------------------------------------------------------------


def _parameters(project: Project, sources: Sources) -> Parameters:
    return Parameters(
        input_data_uri=sdk.ParameterString("InputDataUri", sources.dataset.uri),
        dataset_version=sdk.ParameterString("DatasetVersion", sources.dataset.version),
        instances=_at_start(project),
        threshold=sdk.ParameterFloat(f"{camel_case(project.gate.metric)}Threshold", project.threshold),
        model_approval_status=sdk.ParameterString(
            "ModelApprovalStatus", APPROVAL[0], enum_values=list(APPROVAL)
        ),
        register_again=None
        if project.gate.register_again
        else sdk.ParameterString("RegisterAgain", "false", enum_values=["false", "true"]),
        hyperparameters={
            key: value for key, value in _at_start(project.training).items() if key not in project.tuned
        },
    )


def _at_start(table: Table) -> dict[str, Any]:
    """The parameters whose defaults a table of the settings holds, by the settings' keys."""
    kinds = {str: sdk.ParameterString, int: sdk.ParameterInteger, float: sdk.ParameterFloat}
    values = vars(table)
    return {
        key: kinds[type(values[key])](name, values[key]) for name, key in AtStart.keys(type(table)).items()
    }


def _fixed(values: Mapping[str, Value]) -> dict[str, str]:
    """Hyperparameters from the settings, as the strings that SageMaker hands over."""
    return {name: as_text(value) for name, value in values.items()}


# --- The data --------------------------------------------------------------------------------------


def _query(context: Context) -> Any:
    """The step that runs the project's query; None where its data lies in S3 already."""
    project = context.project
    if project.data.query is None:
        return None
    return query_step(
        project.data.query,
        context.sources.query,
        context.function("query-data"),
        f"s3://{context.target.bucket}/{project.name}/queries",
        context.parameters.input_data_uri,
        context.session,
    )


# --- The jobs --------------------------------------------------------------------------------------


def _preprocess(context: Context) -> list[Any]:
    """Raw data -> train, validation and test parts, their schema, a report, a sample payload.

    By one job, or by three, of which the first two divide the data's files among their instances. The last
    step has all outputs.
    """
    last = "PreprocessData"
    instances = context.parameters.instances["processing_instance_count"]
    results = {name: context.output(last, name) for name in ("schema", "quality", "sample")}
    parts = {name: context.output(last, name) for name in ("train", "validation", "test")}
    if context.project.processing == "replicated":
        return [
            _preprocessing(
                context,
                last,
                "Preprocess data",
                "Reads the raw data, splits it by a hash of each row into training, validation and"
                " test parts, and reports on the quality of the training part",
                instances,
                {"raw": context.data_uri},
                {**parts, **results},
            )
        ]
    profile = _preprocessing(
        context,
        "ProfileData",
        "Profile data",
        "Reads each instance's share of the raw data: what its columns hold",
        instances,
        {"raw": context.data_uri},
        {"profile": context.output("ProfileData", "profile")},
        step="profile",
    )
    profiles = {"profile": _output_of(profile, "profile")}
    split = _preprocessing(
        context,
        "SplitData",
        "Split data",
        "Splits each instance's share of the raw data by a hash of each row into training, validation"
        " and test parts, and counts what the training part holds",
        instances,
        {"raw": context.data_uri, **profiles},
        {**parts, "counts": context.output("SplitData", "counts")},
        step="split",
    )
    merge = _preprocessing(
        context,
        last,
        "Preprocess data",
        "Adds up what all instances counted, puts the rows of small classes into the parts, and reports"
        " on the quality of the training part",
        1,
        {**profiles, "counts": _output_of(split, "counts")},
        # The parts lie where the step before has put them: by the step cache, another execution's place.
        {**{name: _output_of(split, name) for name in parts}, **results},
        step="merge",
    )
    return [profile, split, merge]


def _preprocessing(
    context: Context,
    name: str,
    title: str,
    description: str,
    instances: Any,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    step: str | None = None,
) -> Any:
    """A job of ``preprocess.py``, or of one of its steps, for which instances divide the raw data.

    What reads a prefix that others write never comes from the step cache, which knows its name alone. Where
    the settings give the data a version, that is part of what the cache compares.
    """
    own = {"settings": context.sources.settings, "code": context.sources.processing}
    reads_a_prefix = "raw" in inputs and context.reads_a_prefix
    is_named = context.project.data.version is not None
    version = {"DATASET_VERSION": context.parameters.dataset_version} if reads_a_prefix and is_named else {}
    return sdk.NamedProcessingStep(
        name=name,
        job_prefix=context.job_prefix(name),
        display_name=title,
        description=description,
        step_args=_processor(context, "preprocess.py", instances, version).run(
            inputs=[
                sdk.processing_input(
                    key, uri, f"{PROCESSING}/input/{key}", sharded=step is not None and key == "raw"
                )
                for key, uri in (
                    *inputs.items(),
                    *((key, context.uri(bundle)) for key, bundle in own.items()),
                )
            ],
            outputs=[
                sdk.processing_output(key, uri, f"{PROCESSING}/output/{key}") for key, uri in outputs.items()
            ],
            arguments=["--opt-ml", "/opt/ml", *(["--step", step] if step else [])],
        ),
        cache_config=context.cache if is_named or not reads_a_prefix else None,
        retry_policies=_job_retries(),
    )


def _train(context: Context, preprocess: Any) -> Any:
    """Training and validation parts -> a model artifact that carries its own inference code."""
    parameters, training, network = context.parameters, context.project.training, context.project.network
    loss = _LOSSES[context.project.task]
    number = r"([0-9.eE+-]+)"
    trainer = sdk.ModelTrainer(
        training_image=context.image,
        role=context.target.role_arn,
        sagemaker_session=context.session,
        base_job_name=context.project.name,
        compute=sdk.Compute(
            instance_type=parameters.instances["training_instance_type"],
            instance_count=parameters.instances["training_instance_count"],
            volume_size_in_gb=context.project.volume_size_gb,
            volume_kms_key_id=network.kms_key,
            enable_managed_spot_training=training.spot or None,
            keep_alive_period_in_seconds=training.keep_alive_minutes * 60 or None,
        ),
        networking=sdk.Networking(
            subnets=list(network.subnets) or None,
            security_group_ids=list(network.security_groups) or None,
            enable_network_isolation=network.isolation,
        )
        if network != Network()
        else None,
        stopping_condition=sdk.StoppingCondition(
            max_runtime_in_seconds=context.seconds,
            max_wait_time_in_seconds=waits * 3600 if (waits := context.project.max_wait_hours) else None,
        ),
        checkpoint_config=sdk.CheckpointConfig(s3_uri=context.checkpoints(preprocess)),
        output_data_config=sdk.OutputDataConfig(
            s3_output_path=context.output("TrainModel", "model"), kms_key_id=network.kms_key
        ),
        hyperparameters={
            **{name: value.to_string() for name, value in parameters.hyperparameters.items()},
            **_fixed(
                {
                    name: getattr(training, name)
                    for name in ("seed", "class_weights", "device", "external_memory")
                }
            ),
            **_fixed(training.extra),
        },
        environment=ENVIRONMENT,
        input_data_config=[
            # Each instance gets files of its own: of one instance all of them, whatever the parameter says.
            sdk.sharded_channel("train", _output_of(preprocess, "train"), PARQUET),
            sdk.sharded_channel("validation", _output_of(preprocess, "validation"), PARQUET),
            sdk.channel("schema", _output_of(preprocess, "schema"), JSON_TYPE),
            sdk.channel("code", context.uri(context.sources.training), "text/x-python"),
        ],
        tags=[
            sdk.Tag(key=key, value=value)
            for key, value in resource_tags(context.project, context.target).items()
        ],
    ).with_metric_definitions(
        [
            sdk.MetricDefinition(name=f"train:{loss}", regex=rf"\ttrain-{loss}:{number}"),
            sdk.MetricDefinition(name=f"validation:{loss}", regex=rf"\tvalidation-{loss}:{number}"),
            sdk.MetricDefinition(name="best:iteration", regex=r"best_iteration=([0-9]+)"),
        ]
    )
    return sdk.ProgramTrainingStep(
        name="TrainModel",
        job_prefix=context.job_prefix("TrainModel"),
        display_name="Train model",
        description="Trains XGBoost until the validation part no longer improves, and packs the model"
        " with the code that serves it",
        entrypoint=["python3", "/opt/ml/input/data/code/train.py"],
        arguments_of_program=["--opt-ml", "/opt/ml"],
        step_args=trainer.train(),
        cache_config=context.cache,
        retry_policies=_job_retries(),
    )


def _evaluate(context: Context, preprocess: Any, train: Any, champion: Any, property_files: list[Any]) -> Any:
    """Model artifact and test part -> ``statistics.json``, the gate's verdict, a report for people.

    ``champion`` is the step that found the version that serves, whose artifact is one more input; or None.
    """
    step = "EvaluateModel"
    found = champion.properties.Outputs if champion else {}
    inputs, arguments = [], []
    if champion:
        inputs = [sdk.processing_input("champion", found["ArtifactUri"], f"{PROCESSING}/input/champion")]
        arguments = ["--champion-version", found["Version"].to_string()]
        arguments += ["--champion-sha256", found["Sha256"].to_string()]
    return sdk.NamedProcessingStep(
        name=step,
        job_prefix=context.job_prefix(step),
        display_name="Evaluate model",
        description="Scores the test part with the model artifact's own inference code and writes"
        " statistics.json, the gate's verdict, and an HTML report",
        # One instance: the metrics are of the whole test part.
        step_args=_processor(context, "evaluate.py", 1).run(
            inputs=[
                sdk.processing_input("model", train.model, f"{PROCESSING}/input/model"),
                sdk.processing_input("test", _output_of(preprocess, "test"), f"{PROCESSING}/input/test"),
                sdk.processing_input(
                    "code", context.uri(context.sources.evaluation), f"{PROCESSING}/input/code"
                ),
                sdk.processing_input("gate", context.uri(context.sources.gate), f"{PROCESSING}/input/gate"),
                # What preprocessing noticed of the data, for the report.
                sdk.processing_input(
                    "quality", _output_of(preprocess, "quality"), f"{PROCESSING}/input/quality"
                ),
                *inputs,
            ],
            outputs=[
                sdk.processing_output(
                    "evaluation", context.output(step, "evaluation"), f"{PROCESSING}/output/evaluation"
                )
            ],
            arguments=[
                "--opt-ml",
                "/opt/ml",
                "--threshold",
                context.parameters.threshold.to_string(),
                *arguments,
                # For the report. What differs in each execution would keep the step from the cache.
                "--project",
                context.project.name,
                "--data-source",
                # A parameter stands for itself, a step's output has to be made a text.
                context.data_uri if context.project.data.query is None else context.data_uri.to_string(),
                # One argument: a version may begin with a dash.
                sdk.Join(on="=", values=["--data-version", context.parameters.dataset_version]),
            ],
        ),
        property_files=property_files,
        cache_config=context.cache,
        retry_policies=_job_retries(),
    )


def _processor(
    context: Context, program: str, instances: Any, variables: Mapping[str, Any] | None = None
) -> Any:
    network = context.project.network
    return sdk.Processor(
        role=context.target.role_arn,
        image_uri=context.image,
        entrypoint=["python3", f"{PROCESSING}/input/code/{program}"],
        instance_type=context.parameters.instances["processing_instance_type"],
        instance_count=instances,
        volume_size_in_gb=context.project.volume_size_gb,
        max_runtime_in_seconds=context.seconds,
        sagemaker_session=context.session,
        env={**ENVIRONMENT, **(variables or {})},
        volume_kms_key=network.kms_key,
        output_kms_key=network.kms_key,
        network_config=sdk.NetworkConfig(
            subnets=list(network.subnets) or None,
            security_group_ids=list(network.security_groups) or None,
            enable_network_isolation=network.isolation,
        )
        if network != Network()
        else None,
        tags=resource_tags(context.project, context.target),
    )


def _output_of(step: Any, name: str) -> Any:
    """The S3 prefix of a processing step's output: a reference, resolved when the step has run."""
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


# --- What the registry knows -----------------------------------------------------------------------


def _find_champion(context: Context, train: Any) -> Any:
    """Which version serves in the environment that the gate names, and where its artifact lies.

    After the training, which takes longest: what serves may change meanwhile.
    """
    environment = context.project.gate.champion
    return sdk.lookup(
        "FindChampion",
        context.function("find-champion"),
        {
            "Environment": environment,
            # Without a champion the evaluation still needs an input, and its own settings are always there.
            "WithoutChampionUri": context.uri(context.sources.gate),
        },
        ["Version", "ArtifactUri", "Sha256", "Sentence"],
        context.session,
        display_name=f"Find what serves in {environment}",
        description=f"Looks up the version that serves in {environment}, which the model has to match",
        depends_on=[train],
    )


def _unless_registered(context: Context, preprocess: Any, evaluate: Any, register: Any) -> list[Any]:
    """The registration, preceded by a look at whether the newest version is this very model already."""
    if context.parameters.register_again is None:
        return [register]
    evaluation, quality = (
        sdk.Join(on="/", values=[_output_of(step, output), file])
        for step, output, file in (
            (evaluate, "evaluation", "verdict.json"),
            (preprocess, "quality", "statistics.json"),
        )
    )
    find = sdk.lookup(
        "FindSameVersion",
        context.function("find-same-version"),
        {
            "VerdictUri": evaluation,
            "DataStatisticsUri": quality,
            "DatasetVersion": context.parameters.dataset_version,
            "RegisterAgain": context.parameters.register_again,
        },
        ["Version", "Sentence"],
        context.session,
        display_name="Registered already?",
        description="Compares artifact, data and evaluation with those of the newest registered version",
    )
    is_new = sdk.ConditionStep(
        name="CheckIfNew",
        display_name="A new model?",
        description="Leaves the registry as it is if the newest version is this very model",
        conditions=[sdk.ConditionEquals(left=find.properties.Outputs["Version"], right="none")],
        if_steps=[register],
        else_steps=[],
    )
    return [find, is_new]


# --- Past the gate ---------------------------------------------------------------------------------


def _register(context: Context, preprocess: Any, train: Any, evaluate: Any) -> Any:
    """The model becomes a version of the project's model package group, with all that reviewers need."""
    project = context.project
    builder = sdk.ModelBuilder(
        s3_model_data_url=train.model,
        image_uri=context.image,
        role_arn=context.target.role_arn,
        sagemaker_session=context.session,
        env_vars={
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        },
        dependencies={},  # the default would set SAGEMAKER_PROGRAM to nothing
    )
    quality, data_quality = _statistics(evaluate, "evaluation"), _statistics(preprocess, "quality")
    arguments = builder.register(
        model_package_group_name=project.name,
        description=project.description,
        content_types=[CSV, JSON_TYPE, PARQUET],
        response_types=[JSON_TYPE, CSV],
        inference_instances=list(project.inference_instance_types),
        transform_instances=list(project.transform_instance_types),
        approval_status=context.parameters.model_approval_status,
        model_metrics=sdk.ModelMetrics(
            model_quality=sdk.ModelQuality(statistics=quality),
            model_data_quality=sdk.ModelDataQuality(statistics=data_quality),
        ),
        # What a monitor compares later data and later answers with.
        drift_check_baselines=sdk.DriftCheckBaselines(
            model_quality=sdk.DriftCheckModelQuality(statistics=quality),
            model_data_quality=sdk.DriftCheckModelDataQuality(statistics=data_quality),
        ),
        model_life_cycle=sdk.ModelLifeCycle(
            stage=REVIEW, stage_status=context.parameters.model_approval_status
        ),
        customer_metadata_properties=_customer_metadata(context, train, evaluate),
        domain="MACHINE_LEARNING",
        task="REGRESSION" if project.task == "regression" else "CLASSIFICATION",
        sample_payload_url=sdk.Join(on="/", values=[_output_of(preprocess, "sample"), "payload.tar.gz"]),
        skip_model_validation="None",
        model_card=sdk.ModelPackageModelCard(
            model_card_status="Draft", model_card_content=model_card(project)
        ),
    )
    return sdk.ModelStep(
        name="RegisterModel",
        display_name="Register model",
        description="Registers the model, its metrics and its origin as a new version, for review",
        step_args=arguments,
        retry_policies=[_service_retry()],
    )


def _statistics(step: Any, output: str) -> Any:
    uri = sdk.Join(on="/", values=[_output_of(step, output), "statistics.json"])
    return sdk.MetricsSource(content_type=JSON_TYPE, s3_uri=uri)


def _customer_metadata(context: Context, train: Any, evaluate: Any) -> dict[str, Any]:
    """Where a version comes from, as strings: what went in, what made it, whose it is."""
    project, parameters, sources = context.project, context.parameters, context.sources
    training = project.training
    fixed = _fixed({"seed": training.seed, "class_weights": training.class_weights})
    words: list[Any] = [
        " ".join(f"{name}={value}" for name, value in fixed.items() if name not in train.tuned)
    ]
    for name, value in {**parameters.hyperparameters, **train.tuned}.items():
        words += [f" {name}=", value] if name in Training.model_fields else []
    # One entry each: a value is limited to 256 characters.
    others = {**_fixed(training.extra), **train.tuned}
    extra = {
        f"hyperparameter.{name}": value for name, value in others.items() if name not in Training.model_fields
    }
    if train.tuned:
        best = train.properties.BestTrainingJob
        extra |= {"tuned": " ".join(train.tuned), "training_job": best.TrainingJobArn}
    return {
        "dataset_uri": context.data_uri,
        "dataset_version": parameters.dataset_version,
        "algorithm": f"xgboost {project.image_version}",
        "task": project.task,
        "gate_metric": project.gate.metric,
        f"{project.gate.metric}_threshold": parameters.threshold.to_string(),
        "verdict_uri": sdk.Join(on="/", values=[_output_of(evaluate, "evaluation"), "verdict.json"]),
        "hyperparameters": sdk.Join(on="", values=words),
        **extra,
        "created_by": f"SageMaker pipeline {project.name}",
        "owner": project.owner,
        "git_commit": sources.commit,
        "processing_code": sources.processing.digest,
        "training_code": sources.training.digest,
        "evaluation_code": sources.evaluation.digest,
        "execution_arn": sdk.ExecutionVariables.PIPELINE_EXECUTION_ARN,
    }


# --- The gate --------------------------------------------------------------------------------------


def _gate(context: Context, evaluate: Any, statistics: Any, verdict: Any, candidate: list[Any]) -> Any:
    """The metric better than the threshold and every check of the verdict passed: only that opens it."""
    project, threshold = context.project, context.parameters.threshold
    kind = METRICS[project.gate.metric]
    better = sdk.ConditionGreaterThan if kind.higher_is_better else sdk.ConditionLessThan
    refused = sdk.FailStep(
        name="ModelRefused",
        display_name="Model refused",
        description="Ends the execution as failed: the model is not good enough to be registered",
        # The program's own last words: which check failed, with its numbers.
        error_message=sdk.Join(
            on="", values=["The model is not registered: ", evaluate.properties.ExitMessage]
        ),
    )
    side = "above" if kind.higher_is_better else "below"
    return sdk.ConditionStep(
        name=f"Check{camel_case(project.gate.metric)}",
        display_name=f"{kind.heading} {side} threshold?",
        description=f"Lets a model pass only if its {kind.label} on the test part is {side} the threshold"
        " and the gate's other checks passed",
        conditions=[
            better(
                left=sdk.JsonGet(
                    step_name=evaluate.name,
                    property_file=statistics,
                    json_path=path_of(project.task, kind.name),
                ),
                right=threshold,
            ),
            sdk.ConditionEquals(
                left=sdk.JsonGet(step_name=evaluate.name, property_file=verdict, json_path="verdict"),
                right="passed",
            ),
        ],
        if_steps=candidate,
        else_steps=[refused],
    )


# --- Retries ---------------------------------------------------------------------------------------


def _service_retry() -> Any:
    """SageMaker is busy or faulty for a moment."""
    return sdk.StepRetryPolicy(
        exception_types=[sdk.StepExceptionTypeEnum.SERVICE_FAULT, sdk.StepExceptionTypeEnum.THROTTLING],
        interval_seconds=5,
        backoff_rate=2.0,
        max_attempts=5,
    )


def _job_retries() -> list[Any]:
    """What waiting cures: throttling, a quota in use, no capacity, a fault of SageMaker's own."""
    kinds = sdk.SageMakerJobExceptionTypeEnum
    return [
        _service_retry(),
        sdk.SageMakerJobStepRetryPolicy(
            exception_types=[kinds.RESOURCE_LIMIT],
            interval_seconds=60,
            backoff_rate=2.0,
            expire_after_mins=120,
        ),
        sdk.SageMakerJobStepRetryPolicy(
            failure_reason_types=[kinds.CAPACITY_ERROR, kinds.INTERNAL_ERROR],
            interval_seconds=60,
            backoff_rate=2.0,
            max_attempts=3,
        ),
    ]
