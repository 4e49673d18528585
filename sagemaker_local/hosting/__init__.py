"""Hosts models: endpoints and transform jobs, each a fleet of real processes behind a router.

    server      the model server: a program that serves one artifact with its own script
    fleet_spec  what an endpoint or a transform job is to run, as values
    container   lays out one container and returns the command that runs in it
    instance    one instance: its containers' processes, watched, pinged and restarted
    fleet       all instances of an endpoint or a transform job
    channel     a kept-alive connection to a model server
    router      picks a variant and an instance for a request, chains containers, retries what is safe
    endpoints   the endpoints that this process serves: started, replaced without a gap, stopped
    capture     what an endpoint captures of its requests, and the line that one becomes
    capture_writer
                writes captured requests in the background, and counts what it has to drop
    batch_capture
                the manifests that a transform job captures, and the ids of its records
    endpoint_record
                an endpoint's document, and how each change of it ends
    transform   batch transform jobs, each with a thread
    transform_run
                one transform job that runs
    payloads    the pieces in which a transform job sends an object to the model

The store says what should run; processes follow it. An endpoint's processes belong to the process of the
local SageMaker that serves it, and end with it.
"""

from pathlib import Path

SERVER = Path(__file__).with_name("server.py")
