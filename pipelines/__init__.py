"""What SageMaker is told: from a settings file to a pipeline that is planned, upserted and started.

A project's pipeline travels through these modules:

    project          the tables of one project, their keys, ranges and defaults
    settings         projects.toml -> validated, frozen values; errors with place and remedy
    target           AWS or this machine: region, role, bucket, and the clients that speak to it
    bundles          container folders and data settings, named by their content
    dataset          the data, named by its content
    source_commit    the commit that all of it comes from
    sources          the last three, gathered
    definition       the pipeline, from parameters to gate; the one file to read first
    model_card       the text that a version is registered with
    sagemaker_sdk    the SageMaker SDK with its traps closed
    limits           what AWS would refuse late, refused at once
    compile          sources -> definition document, offline, the same bytes everywhere
    changes          the difference between two documents, in words
    plan             what an upsert would do; reads only
    upsert           does it
    bucket           is the bucket there, what is in it
    stacks           a project's CloudFormation stacks, from the settings
    handler_code     the zip file of the automation's functions
    infra            what a deployment of the stacks would change; the deployment
"""
