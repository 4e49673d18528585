"""EventBridge and the services that it delivers to.

How an event is processed; each arrow is one SQLite transaction, so that a death at any point loses nothing:

    a change of a resource          emission   makes the event that AWS sends, in the change's transaction
      -> outbox                     outbox     the events that no rule has seen yet
      -> deliveries                 dispatcher matches rules (patterns), makes each target's input
                                               (transformers); one row for each target that is due
      -> target                     targets    a function, a topic, a queue, a pipeline
         or its dead-letter queue              after the retries of its policy

A delivery whose target has been called but that is not yet deleted is made again after a death: at least
once, as on AWS, and in no promised order. Only an endpoint that is kept up dispatches; one that runs inside
a short command only writes the outbox. ``functions`` invokes Lambda functions, each in an
``execution_environment``, which is a process and stays warm; ``function_documents`` keeps them. ``alarms``
watches queues.
"""
