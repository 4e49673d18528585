"""The SageMaker SDK with its traps closed. Only ``definition`` imports from here.

The SDK is made for interactive use: importing it asks for a region and reads the user's AWS
configuration, building asks IAM about the role, every operation reports itself over HTTPS, tags
depend on a file near the working directory, and log handlers appear. A definition must be the same
bytes wherever it is compiled, offline and without credentials. So:

- import, building and compiling happen inside :func:`undisturbed`, an environment of its own;
- telemetry is cut off at its one exit (its opt-out costs 3 s for each definition);
- the file ``.sagemaker-code-config`` is not looked for: the target's tags say the same;
- compiling makes no client, neither our session's nor those of the local mode that each processing step
  would set up to look at one function's name (1 s altogether);
- importing it would make two clients (0.1 s), which nobody uses;
- importing it would load pandas, SciPy, NumPy, Docker's client and more, and build validators of all of
  SageMaker's shapes (more than half of its time): these come when they are used (``deferred_imports``);
- importing it makes 200 000 objects that stay: the garbage collector, which would go through them again and
  again (0.6 s), is off meanwhile and leaves them alone afterwards;
- code is named by content (``bundles``) and never given to the SDK, which would upload it under a
  new key each time, and so defeat the step cache.

Names that ``definition`` needs are re-exported, because importing the SDK from anywhere else would
happen outside of that environment.
"""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import boto3

from aws_formats.errors import GatehouseError
from pipelines.definition.deferred_imports import deferred, models_built_when_used

_ENVIRONMENT = {
    "SAGEMAKER_VALIDATE_ROLE": "false",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": os.devnull,
    "SAGEMAKER_USER_CONFIG_OVERRIDE": os.devnull,
    "AWS_PROFILE": None,
    "AWS_DEFAULT_PROFILE": None,
    # Without these, clients that the SDK makes at import ask a build's or an instance's own endpoint.
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_SESSION_TOKEN": None,
}
"""What differs from the user's environment; None: the variable is not set."""


@contextmanager
def undisturbed(region: str) -> Iterator[None]:
    """Run the SDK without the user's AWS configuration and credentials, without IAM, without its noise.

    The process's environment, boto3's default session and the root logger are as before afterwards.
    A session for real requests has to be made outside, or it would have no credentials. Not for use by
    several threads at once: the environment is the whole process's.
    """
    inside = {**_ENVIRONMENT, "AWS_DEFAULT_REGION": region}
    outside = {name: os.environ.get(name) for name in inside}
    session = boto3.DEFAULT_SESSION
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    disabled = logging.root.manager.disable
    _set_environment(inside)
    boto3.DEFAULT_SESSION = None
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)
        boto3.DEFAULT_SESSION = session
        _set_environment(outside)


def _set_environment(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def _no_clients() -> Iterator[None]:
    """Let the import make no clients: they would keep the credentials of :data:`_ENVIRONMENT` for good."""
    make, boto3.client = boto3.client, lambda *_, **__: None
    try:
        yield
    finally:
        boto3.client = make


_UNUSED = {
    "docker": ("DockerClient",),
    "docker.types": ("DeviceRequest",),
    "graphene": (),
    "numpy": ("array",),
    "omegaconf": ("OmegaConf",),
    "omegaconf.dictconfig": ("DictConfig",),
    "pandas": ("DataFrame",),
    "psutil": (),
    "scipy": (),
    "scipy.sparse": (),
    "tqdm": (),
}
"""What the SDK imports and no definition uses: modules, and what it takes from them by name."""

_collects = gc.isenabled()
gc.disable()
with undisturbed("us-east-1"), _no_clients(), deferred(_UNUSED), models_built_when_used():
    from sagemaker.core import _studio, image_uris
    from sagemaker.core.helper import session_helper
    from sagemaker.core.lambda_helper import Lambda
    from sagemaker.core.local.local_session import LocalSagemakerClient
    from sagemaker.core.network import NetworkConfig
    from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
    from sagemaker.core.processing import Processor
    from sagemaker.core.shapes import (
        Channel,
        DataSource,
        DriftCheckBaselines,
        DriftCheckModelDataQuality,
        DriftCheckModelQuality,
        MetricDefinition,
        MetricsSource,
        MlflowConfig,
        ModelDataQuality,
        ModelLifeCycle,
        ModelMetrics,
        ModelPackageModelCard,
        ModelQuality,
        ProcessingInput,
        ProcessingOutput,
        ProcessingS3Input,
        ProcessingS3Output,
        Tag,
    )
    from sagemaker.core.telemetry import telemetry_logging
    from sagemaker.core.training.configs import (
        CheckpointConfig,
        Compute,
        InputData,
        Networking,
        OutputDataConfig,
        S3DataSource,
        StoppingCondition,
    )
    from sagemaker.core.workflow import (
        ConditionEquals,
        ConditionGreaterThan,
        ConditionLessThan,
        ExecutionVariables,
        Join,
        JsonGet,
        ParameterFloat,
        ParameterInteger,
        ParameterString,
        PropertyFile,
    )
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.mlops.workflow import (
        CacheConfig,
        ConditionStep,
        FailStep,
        LambdaStep,
        ModelStep,
        Pipeline,
        ProcessingStep,
        SageMakerJobExceptionTypeEnum,
        SageMakerJobStepRetryPolicy,
        StepExceptionTypeEnum,
        StepRetryPolicy,
        TrainingStep,
        TuningStep,
        lambda_step,
        steps,
    )
    from sagemaker.serve.model_builder import ModelBuilder
    from sagemaker.train import ModelTrainer

gc.freeze()
if _collects:
    gc.enable()

telemetry_logging._send_telemetry_request = lambda *_, **__: None
_studio._find_config = lambda *_, **__: None
steps.LocalSagemakerClient = lambda: LocalSagemakerClient

__all__ = [
    "CacheConfig",
    "CategoricalParameter",
    "CheckpointConfig",
    "Compute",
    "ConditionEquals",
    "ConditionGreaterThan",
    "ConditionLessThan",
    "ConditionStep",
    "ContinuousParameter",
    "DriftCheckBaselines",
    "DriftCheckModelDataQuality",
    "DriftCheckModelQuality",
    "ExecutionVariables",
    "FailStep",
    "GatedPipeline",
    "IntegerParameter",
    "Join",
    "JsonGet",
    "MetricDefinition",
    "MetricsSource",
    "MlflowConfig",
    "ModelBuilder",
    "ModelDataQuality",
    "ModelLifeCycle",
    "ModelMetrics",
    "ModelPackageModelCard",
    "ModelQuality",
    "ModelStep",
    "ModelTrainer",
    "NamedProcessingStep",
    "NetworkConfig",
    "Networking",
    "OutputDataConfig",
    "ParameterFloat",
    "ParameterInteger",
    "ParameterString",
    "PipelineSession",
    "Processor",
    "ProgramTrainingStep",
    "ProgramTuningStep",
    "PropertyFile",
    "SageMakerJobExceptionTypeEnum",
    "SageMakerJobStepRetryPolicy",
    "StepExceptionTypeEnum",
    "StepRetryPolicy",
    "StoppingCondition",
    "Tag",
    "channel",
    "lookup",
    "offline_session",
    "pipeline_session",
    "processing_input",
    "processing_output",
    "sharded_channel",
    "undisturbed",
    "xgboost_image",
]


def pipeline_session(boto_session: Any, bucket: str) -> PipelineSession:
    """The SDK's session, given a bucket so that it looks for none, and without the SDK's configuration.

    A configuration that is not empty is validated against its whole JSON schema at each look-up.
    """
    load = session_helper.load_sagemaker_config
    session_helper.load_sagemaker_config = lambda **_: {}
    try:
        return PipelineSession(boto_session=boto_session, default_bucket=bucket)
    finally:
        session_helper.load_sagemaker_config = load


def offline_session(region: str, bucket: str) -> PipelineSession:
    """A session that can compile and nothing else: it has no clients to make a request with."""
    return pipeline_session(_NoClients(region), bucket)


class _NoClients:
    """Stands where the SDK expects a boto3 session; what it hands out as clients can do nothing."""

    def __init__(self, region: str) -> None:
        self.region_name = region

    def client(self, *_: Any, **__: Any) -> object:
        return object()

    resource = client


def xgboost_image(region: str, version: str) -> str:
    """The URI of AWS's XGBoost image, from the table that the SDK carries.

    Raises:
        GatehouseError: the region or the version is not in that table.
    """
    try:
        return str(image_uris.retrieve("xgboost", region=region, version=version, py_version="py3"))
    except ValueError as error:
        raise GatehouseError(
            f"the SageMaker SDK knows no XGBoost image of version {version} in {region}",
            where="settings image_version and region",
            remedy=f"Supported{str(error).rpartition('Supported')[2]}",
        ) from error


def processing_input(
    name: str, uri: Any, path: str, data_type: str = "S3Prefix", *, sharded: bool = False
) -> ProcessingInput:
    """An S3 object or prefix, copied to `path` on each instance before the program starts.

    Args:
        data_type: or ``ManifestFile``, of which the objects that it lists are copied.
        sharded: each instance is given its share of the objects; else it is given all.
    """
    return ProcessingInput(
        input_name=name,
        s3_input=ProcessingS3Input(
            s3_uri=uri,
            local_path=path,
            s3_data_type=data_type,
            s3_input_mode="File",
            s3_data_distribution_type="ShardedByS3Key" if sharded else "FullyReplicated",
        ),
    )


def processing_output(name: str, uri: Any, path: str) -> ProcessingOutput:
    """What lies at `path` when the program ends, copied to an S3 prefix."""
    return ProcessingOutput(
        output_name=name,
        s3_output=ProcessingS3Output(s3_uri=uri, local_path=path, s3_upload_mode="EndOfJob"),
    )


def channel(name: str, uri: Any, content_type: str) -> InputData:
    """A training channel: an S3 prefix at ``/opt/ml/input/data/<name>`` on each instance."""
    return InputData(channel_name=name, data_source=uri, content_type=content_type)


def sharded_channel(name: str, uri: Any, content_type: str) -> InputData:
    """As :func:`channel`, but each instance gets its share of the objects: every one is on one instance."""
    source = S3DataSource(s3_data_type="S3Prefix", s3_uri=uri, s3_data_distribution_type="ShardedByS3Key")
    return InputData(channel_name=name, data_source=source, content_type=content_type)


def lookup(
    name: str,
    function_arn: str,
    inputs: Mapping[str, Any],
    outputs: Sequence[str],
    session: PipelineSession,
    **options: Any,
) -> LambdaStep:
    """A step that calls a Lambda function, which exists, and gets texts from it by name.

    Args:
        session: any; without one the SDK would make its own, with the user's AWS configuration.
    """
    return LambdaStep(
        name=name,
        lambda_func=Lambda(function_arn=function_arn, session=session),
        inputs=dict(inputs),
        outputs=[lambda_step.LambdaOutput(output_name=output) for output in outputs],
        **options,
    )


class NamedProcessingStep(ProcessingStep):  # type: ignore[misc]
    """A processing job whose name begins with a prefix of ours, and goes on as SageMaker likes.

    The SDK's own way (``use_custom_job_prefix``) takes the prefix from a name with a time in it, whose form
    varies, and forgets it for training jobs.
    """

    def __init__(self, *, job_prefix: str, **options: Any) -> None:
        self._job_prefix = job_prefix
        super().__init__(**options)

    @property
    def arguments(self) -> dict[str, Any]:
        """The members of ``CreateProcessingJob``."""
        return {"ProcessingJobName": self._job_prefix, **super().arguments}


class ProgramTrainingStep(TrainingStep):  # type: ignore[misc]
    """A training job that runs a program of ours, not the image's script mode.

    Script mode would install the code with pip and build isolation, which needs the network;
    ``ModelTrainer`` has no argument for an entry point without it. The job's name begins with the prefix.
    """

    def __init__(
        self,
        *,
        job_prefix: str,
        entrypoint: Sequence[str],
        arguments_of_program: Sequence[str],
        **options: Any,
    ) -> None:
        self._job_prefix = job_prefix
        self._program = {
            "ContainerEntrypoint": list(entrypoint),
            "ContainerArguments": list(arguments_of_program),
        }
        super().__init__(**options)

    @property
    def arguments(self) -> dict[str, Any]:
        """The members of ``CreateTrainingJob``."""
        request: dict[str, Any] = super().arguments
        request["AlgorithmSpecification"] = {**request["AlgorithmSpecification"], **self._program}
        return {"TrainingJobName": self._job_prefix, **request}

    @property
    def model(self) -> Any:
        """Where the artifact lies, once the step has run."""
        return self.properties.ModelArtifacts.S3ModelArtifacts

    @property
    def tuned(self) -> dict[str, Any]:
        """The hyperparameters that the step itself has chosen: none."""
        return {}


class ProgramTuningStep(TuningStep):  # type: ignore[misc]
    """A tuning job whose training jobs are those of a training step, with a program of ours in script mode.

    The SDK's tuner leaves the key of the volumes, the network isolation and the seed 0 out of the request. So
    what its training jobs are is taken from the training step's own request, in all that a tuning job can be
    given: an entry point is none of that, and a folder of checkpoints would be one for all of them.

    Args:
        training: the step that would train once; it is no step of the pipeline.
        ranges: the SDK's, by the hyperparameters' names; what they replace need not be set.
        tuning: what else the SDK's ``HyperparameterTuner`` is given.
        settings: hyperparameters beside those of the training step.
        metrics: definitions beside those of the training step.
        seed: of the values that are tried.
        bucket, prefix: where the models go. It is no folder of an execution's own: a result from the step
            cache is then found where it is, and training jobs have names of their own.
    """

    def __init__(
        self,
        *,
        job_prefix: str,
        training: ProgramTrainingStep,
        ranges: Mapping[str, Any],
        settings: Mapping[str, str],
        metrics: Sequence[Mapping[str, str]],
        seed: int,
        bucket: str,
        prefix: str,
        tuning: Mapping[str, Any],
        **options: Any,
    ) -> None:
        self._job_prefix, self._training, self._seed = job_prefix, training, seed
        self._settings, self._metrics = settings, metrics
        self._bucket, self._prefix = bucket, prefix
        self._ranges = tuple(ranges)
        from sagemaker.train.tuner import HyperparameterTuner  # a tenth of a second, for who tunes

        trainer = training.step_args.func_args[0]
        tuner = HyperparameterTuner(trainer, hyperparameter_ranges=dict(ranges), **tuning)
        inputs = [_as_channel(given) for given in trainer.input_data_config]
        super().__init__(step_args=tuner.tune(inputs=inputs), **options)

    @property
    def arguments(self) -> dict[str, Any]:
        """The members of ``CreateHyperParameterTuningJob``."""
        request: dict[str, Any] = {**super().arguments}
        training = self._training.arguments
        algorithm = training["AlgorithmSpecification"]
        fixed = {
            name: value for name, value in training["HyperParameters"].items() if name not in self._ranges
        }
        output = {**training["OutputDataConfig"], "S3OutputPath": f"s3://{self._bucket}/{self._prefix}"}
        request["HyperParameterTuningJobConfig"]["RandomSeed"] = self._seed
        request["TrainingJobDefinition"] = {
            "StaticHyperParameters": {**fixed, **self._settings},
            "AlgorithmSpecification": {
                "TrainingImage": algorithm["TrainingImage"],
                "TrainingInputMode": algorithm["TrainingInputMode"],
                "MetricDefinitions": [*algorithm["MetricDefinitions"], *map(dict, self._metrics)],
            },
            "OutputDataConfig": output,
            **{name: training[name] for name in _OF_TRAINING if name in training},
        }
        return {"HyperParameterTuningJobName": self._job_prefix, **request}

    @property
    def model(self) -> Any:
        """Where the best training job's artifact lies, once the step has run.

        Not the SDK's ``get_top_model_s3_uri``: of models that are equally good, the first of its list need
        not be the best training job, whose values are said to be the model's.
        """
        best = self.properties.BestTrainingJob.TrainingJobName
        return Join(on="/", values=[f"s3://{self._bucket}/{self._prefix}", best, "output/model.tar.gz"])

    @property
    def tuned(self) -> dict[str, Any]:
        """The best values by their hyperparameters, once the step has run."""
        best = self.properties.BestTrainingJob.TunedHyperParameters
        return {name: best[name] for name in self._ranges}


def _as_channel(given: InputData) -> Channel:
    """A channel in the tuner's form; in the form of others it gives every instance all of the files."""
    source = given.data_source
    if not isinstance(source, S3DataSource):
        source = S3DataSource(
            s3_data_type="S3Prefix", s3_uri=source, s3_data_distribution_type="FullyReplicated"
        )
    return Channel(
        channel_name=given.channel_name,
        content_type=given.content_type,
        data_source=DataSource(s3_data_source=source),
    )


_OF_TRAINING = (
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "ResourceConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "RetryStrategy",
    "Environment",
)
"""What a tuning job's training definition has in common with a training job."""


class GatedPipeline(Pipeline):  # type: ignore[misc]
    """The SDK's pipeline, compiled undisturbed, checked, and published before it is created or updated.

    Args:
        region: of the session, for compiling.
        role_arn, description, tags: what ``create``, ``update``, ``upsert`` and ``put_triggers`` use without
            others.
        check: called with each compiled definition; raises for one that AWS would not take.
        publish: called before the pipeline is created or updated, to upload what it refers to.
    """

    def __init__(
        self,
        *,
        region: str,
        role_arn: str,
        description: str,
        tags: Mapping[str, str],
        check: Callable[[str], None],
        publish: Callable[[], None],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.description = description
        self._region = region
        self._role_arn = role_arn
        self._tags = [{"Key": key, "Value": value} for key, value in tags.items()]
        self._check = check
        self._publish = publish

    def definition(self) -> str:
        """The definition document; the same text at each call and everywhere."""
        with undisturbed(self._region):
            text: str = super().definition()
        self._check(text)
        return text

    def create(
        self,
        role_arn: str | None = None,
        description: str | None = None,
        tags: Any = None,
        parallelism_config: Any = None,
        **options: Any,
    ) -> dict[str, Any]:
        """As the SDK's; the bundles are published first."""
        self._publish()
        created: dict[str, Any] = super().create(
            role_arn or self._role_arn,
            description or self.description,
            tags or self._tags,
            parallelism_config,
            **options,
        )
        return created

    def update(
        self,
        role_arn: str | None = None,
        description: str | None = None,
        parallelism_config: Any = None,
    ) -> dict[str, Any]:
        """As the SDK's; the bundles are published first."""
        self._publish()
        updated: dict[str, Any] = super().update(
            role_arn or self._role_arn, description or self.description, parallelism_config
        )
        return updated

    def upsert(
        self,
        role_arn: str | None = None,
        description: str | None = None,
        tags: Any = None,
        parallelism_config: Any = None,
    ) -> dict[str, Any]:
        """As the SDK's: create, or update and keep the tags that others have set."""
        upserted: dict[str, Any] = super().upsert(
            role_arn or self._role_arn, description, tags or list(self._tags), parallelism_config
        )
        return upserted

    def put_triggers(self, triggers: list[Any], role_arn: str | None = None) -> list[str]:
        """As the SDK's; without another role it is the pipeline's, which has to trust the Scheduler."""
        arns: list[str] = super().put_triggers(triggers, role_arn or self._role_arn)
        return arns
