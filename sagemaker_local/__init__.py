"""SageMaker on this machine: AWS's own protocols, real processes, one folder of state.

Any client that speaks to AWS (boto3, the AWS CLI, the SageMaker SDK) can speak to this package over a socket
on 127.0.0.1. It knows nothing of the project around it. README.md in this folder says what it implements, how
it is laid out, and how to add to it.
"""
