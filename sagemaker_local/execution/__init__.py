"""Runs a pipeline definition as SageMaker Pipelines does.

A definition enters through ``graph.check_definition`` and leaves as a graph of steps; an execution of
it travels through these modules:

    parameters  what a caller gave + what the definition declares -> typed values
    graph       definition -> steps, what each waits for, everything that can be wrong in advance
    property_shapes  which properties a step of each type has
    language    references and functions (Get, Std:Join, Std:JsonGet) -> values
    conditions  comparisons that a broken metric can fail but never slip through
    cache       which earlier step did the same work
    retry       which failures are worth another attempt, and when
    schedule    which steps may start now, and how an execution ends
    selection   selective execution: which steps run, which are taken from an earlier execution
    records     the documents of executions and steps, each transition durable
    slots       how many jobs run at once in this process
    steps       runs one step of each type
    engine      runs executions: order, parallelism, stop
    recovery    what a dead process left under way
"""
