"""Hyperparameter tuning jobs: which training jobs are tried, one after another or several at once.

ranges      parameters with their ranges: checks, values as texts
strategies  which values are tried next: Grid, Random, Bayesian
gaussian    the model behind Bayesian
request     what a request asks for, and what of it is refused
jobs        the tuning jobs that this process runs
outcome     how the training jobs of a tuning job stand: counters, objectives, the best one
"""
