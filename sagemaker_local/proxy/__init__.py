"""Stands in for AWS's hosts, for clients that name them themselves.

The SageMaker SDK asks STS at an address that it makes of the region, and sends telemetry to a bucket of its
own: ``AWS_ENDPOINT_URL`` does not reach these requests. ``HTTPS_PROXY`` does. ``server`` is such a proxy, and
``certificates`` makes what a client has to trust for it.
"""
