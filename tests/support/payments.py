"""A project whose environment captures requests, and rows for it: is a payment fraud?"""

from __future__ import annotations

import random

PROJECT = "rc-payments"
SETTINGS = f"""
default_project = "{PROJECT}"
[projects.rc.payments]
description = "A test"
owner = "me"
task = "binary"
accuracy_threshold = 0.6
region = "eu-west-1"
network.isolation = true
[projects.rc.payments.data]
source = "payments.csv"
target = "fraud"
positive_class = "yes"
[projects.rc.payments.training]
num_round = 10
[projects.rc.payments.monitoring]
retrain = "automatic"
[projects.rc.payments.environments.dev]
capture = {{}}
[projects.rc.payments.environments.prod]
"""


def payments(count: int, seed: int, scale: float = 1.0) -> list[tuple[str, str, str]]:
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        amount = draw.gauss(50 * scale, 10)
        fraud = "yes" if amount + draw.gauss(0, 4) > 52 else "no"
        rows.append((f"{amount:.2f}", draw.choice(["ch", "de", "fr"]), fraud))
    return rows
