"""A rare class at the gate, through the command line: a model that finds it gets in, one that only seems good
because the class is rare does not.

The data are like those of mammography: one row in fifty is positive, and its measurements are higher.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from installed_command import Shell

PASSED, REFUSED = 0, 3


def measurements(features: int, difference: float, rows: int = 6000) -> str:
    """A CSV of normal measurements, those of the positive rows higher by some standard deviations."""
    generator = random.Random(11)
    lines = [",".join([*(f"m{place}" for place in range(features)), "diagnosis"])]
    for number in range(rows):
        ill = number % 50 == 0
        values = (f"{generator.gauss(difference * ill, 1):.4f}" for _ in range(features))
        lines.append(",".join([*values, "malignant" if ill else "benign"]))
    return "\n".join(lines) + "\n"


def test_a_balanced_model_passes_by_auc_with_a_floor_for_recall_though_its_accuracy_is_lower_than_of_never(
    own_shell: Callable[..., Shell],
) -> None:
    table = {"data": measurements(4, 1.3), "training": 'class_weights = "balanced"\nnum_round = 30'}
    by_auc = 'metric = "auc"\nthreshold = 0.9\nfloors.recall = '

    shell = own_shell(gate=f"{by_auc} 0.6", **table)
    passed = shell.run("run", "--json")
    assert passed.code == PASSED, passed.err
    verdict = passed.document["verdict"]
    assert [(check["name"], check["passed"]) for check in verdict["checks"]] == [
        ("threshold", True),
        ("worth", True),
        ("floor recall", True),
    ]
    recall, accuracy = (verdict["metrics"][name] for name in ("recall", "accuracy"))
    assert accuracy["value"] < accuracy["constant"]
    assert passed.document["model_package_arn"].endswith("/1")

    floor = round(recall["value"] + 0.01, 2)
    refused = own_shell(gate=f"{by_auc} {floor}", **table).run("run")
    assert refused.code == REFUSED, refused.err
    assert f"recall {recall['value']:.4f} is below the floor {floor:g}" in refused.out
    assert refused.err.count("from the cache") == 2, "the gate's bounds concern the evaluation alone"

    by_accuracy = own_shell(gate="threshold = 0.9", **table).run("run")
    assert by_accuracy.code == REFUSED, by_accuracy.err
    assert (
        f"accuracy {accuracy['value']:.4f} is no better than the {accuracy['constant']:.4f} of always"
        " answering 'benign', though the model has learnt something: with rare classes choose another metric"
        " for the gate, such as auc (AUC"
    ) in by_accuracy.out
    assert [version["version"] for version in shell.run("models", "--json").document] == [1]


def test_a_model_that_gives_one_answer_to_all_is_refused(own_shell: Callable[..., Shell]) -> None:
    """One feature, one round: nothing of the rare class is found, and accuracy is above the threshold."""
    shell = own_shell(data=measurements(1, 0.8), training="num_round = 1", gate="threshold = 0.95")
    run = shell.run("run", "--json")
    assert run.code == REFUSED, run.err
    threshold, worth = run.document["verdict"]["checks"]
    assert (threshold["passed"], worth["passed"]) == (True, False)
    assert worth["sentence"].startswith("the model has not learnt anything: it answers 'benign' to all ")
    assert run.document["verdict"]["sentence"] == worth["sentence"]
    assert worth["sentence"] in run.document["failure_reason"]
    assert run.document["model_package_arn"] is None


def test_noise_is_refused_with_a_sentence_that_says_so(own_shell: Callable[..., Shell]) -> None:
    """With balanced weights the model often answers "malignant": no oftener where it is right."""
    data, training = measurements(3, 0.0), 'class_weights = "balanced"\nnum_round = 20'
    run = own_shell(data=data, training=training, gate="threshold = 0.1").run("run")
    assert run.code == REFUSED, run.err
    assert "The gate stayed shut: the model has not learnt anything that" in run.out
    assert "answers as good as these come about by chance in" in run.out
    assert "No model was registered." in run.out
