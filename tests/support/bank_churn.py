"""The settings of one small project, for tests that need a project and not what is in it."""

from __future__ import annotations

PROJECT = "bank-churn"
SETTINGS = """
[projects.bank.churn]
description = "Who leaves"
owner = "tests"
region = "eu-west-1"
task = "binary"
accuracy_threshold = 0.6
data.source = "churn.csv"
data.target = "left"
data.positive_class = "yes"
"""
