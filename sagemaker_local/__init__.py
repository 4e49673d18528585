"""SageMaker on this machine: AWS's own protocols, real processes, one folder of state.

Any client that speaks to AWS (boto3, the AWS CLI, the SageMaker SDK) can speak to this package over
a socket on 127.0.0.1. It knows nothing of the project around it: it would run anybody's pipeline.

A request travels through these modules:

    endpoint    binds the socket, holds the process's place in the home folder
    app         who may ask (Host, Origin, credentials), which service is meant
    protocols/  wire format <-> Python values, checked against botocore's service models
    api         one table of operations; also how the engine calls them, so a step's arguments
                pass the same checks as a client's
    services/   one module for each family of operations: pipelines, jobs, registry, identity, logs, events
    s3/         the object store and its REST-XML face
    execution/  runs a definition: references, conditions, cache, retries, parallel steps, stop
    jobs/       runs one job: stages /opt/ml, starts the processes, collects what they leave
    hosting/    endpoints and transform jobs: model servers, the router before them, updates without a gap
    events/     what happens here becomes events; rules match them, targets are told
    store       SQLite: a document for each resource, durable before a write is acknowledged
    home        where everything lies on disk, and which processes are alive
"""
