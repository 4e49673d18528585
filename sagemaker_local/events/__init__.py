"""EventBridge, and what it delivers to: what happens here tells those who asked to be told.

An event's way, each arrow one SQLite transaction, so that a death at any point loses nothing:

    a change of a resource          emission   says what AWS would say of it, in the change's transaction
      -> outbox                     outbox     the events that no rule has seen yet
      -> deliveries                 dispatcher matches rules (patterns), makes each target's input
                                               (transformers); one row for each target that is due
      -> target                     targets    a function, a topic, a queue, a pipeline
         or its dead-letter queue              after the retries of its policy

A delivery whose target has been called but that is not yet struck off is made again after a death:
at least once, as on AWS, and in no promised order. Only an endpoint that is kept up dispatches; one that
lives inside a short command writes the outbox. ``functions`` runs Lambda functions as processes.
"""
