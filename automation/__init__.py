"""The automation: what events do with a version after its registration, and the templates for AWS.

    registered -> approval_requested -> people decide -> version_decided -> the first environment's parameter
    parameter  -> environment_changed -> endpoint -> deployment_announced -> the next environment's parameter
    an execution that failed, or whose gate stayed shut -> execution_failed -> people

    context     what a function's environment variables say: project, environments, topic
    reconcile   the one decision about an environment, taken on what is there now
    labels      how far a deployment has come
    lease       one function at a time
    messages    what people are told
    handlers/   one Lambda function each: from an event to the thing that it is about
    templates/  CloudFormation: foundation, ci, automation

Events are hints. They come twice, late, in another order, or not at all; so no handler believes what an
event says, each looks at what is there now, and a timer looks at every environment even without an event.
Needs the standard library, botocore, ``registry`` and a few modules of ``aws_formats``: that is all that the
function's package holds.
"""
