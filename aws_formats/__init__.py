"""What AWS's own documents mean: the layer that both sides of a request stand on.

The command line writes definitions, requests and schedules; the local SageMaker reads them. Neither
may import the other, so what both must know is here, and this package knows neither:

    arns                  ARNs, and the account that the local SageMaker answers for
    shapes                botocore's service models, and the one check of values against them
    definition_language   a pipeline definition's steps, references and functions
    step_cache            what decides whether a step's result may be reused: key and age
    schedules             schedule expressions: what they mean, and when they are due
    tar_members           the members of a tar file, read safely
    service_errors        what the error answers of services mean: not there, there already, denied
    errors                the one error that a person can cause
"""
