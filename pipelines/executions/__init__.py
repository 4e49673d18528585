"""Executions of a pipeline, from start to end.

outline        what a reader of a definition wants to know: steps, parameters, gate
overrides      parameters given at a start, checked against what the definition declares
lifecycle      start, stop, retry, find, list
job_records    what a step's job left: its result, a metric that it wrote, its log
watching       looks at an execution until it has ended, and says what came out
schedule       starts on time: planned by reading, then applied
"""
