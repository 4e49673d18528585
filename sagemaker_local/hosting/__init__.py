"""Hosts models: endpoints and transform jobs, each a fleet of real processes behind a router.

    server      the model server: a program that serves one artifact with its own script
    deployment  what an endpoint is to serve, as values
    container   lays out one container and says what runs in it
    instance    one instance: its containers' processes, watched, pinged and restarted
    fleet       all instances of a deployment
    channel     a kept-alive connection to a model server
    router      picks a variant and an instance for a request, chains containers, retries what is safe
    endpoints   the endpoints that this process serves: started, replaced without a gap, stopped
    endpoint_record  an endpoint's document, and how each change of it ends
    transform   a batch transform job

The store holds what should be; processes are a consequence of it. An endpoint's processes belong to the
process of the local SageMaker that serves it, and die with it.
"""

from pathlib import Path

SERVER = Path(__file__).with_name("server.py")
