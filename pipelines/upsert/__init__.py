"""Bringing the pipeline in AWS up to date: plan by reading only, then apply the plan.

changes       the difference between two definitions, in words
step_cache    which steps the next start takes from the step cache, and why
plan          what an upsert would do
estimate      what the next start takes and costs: as it was (earlier), or calculated
prices        a dated list; with it, sizes writes the tables of docs/scaling.md
apply         does it
"""
