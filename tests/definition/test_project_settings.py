"""What a settings file may say, and what a person reads when it says something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aws_formats.errors import GatehouseError
from pipelines.settings.project import Project
from pipelines.settings.projects_file import load_settings

MakeProject = Callable[..., Project]
ROOT = Path(__file__).resolve().parents[2]


def test_the_projects_that_come_with_gatehouse_are_valid() -> None:
    settings = load_settings(ROOT / "projects.toml")
    assert settings.project().name == "health-tumor-diagnosis"
    assert settings.project("vision-handwritten-digits").task == "multiclass"
    for project in settings.projects.values():
        header = (project.root / project.data.source).read_text().splitlines()[0].split(",")
        assert project.data.target in header


def test_a_project_is_named_after_its_team_and_itself(project: Project) -> None:
    assert project.name == "rc-fraud-detection"
    assert (project.team, project.short_name) == ("rc", "fraud-detection")


def test_defaults_fill_what_a_project_leaves_out_key_by_key(
    tmp_path: Path, make_project: MakeProject
) -> None:
    project = make_project(
        tmp_path,
        ("[defaults]", "[defaults]\ntraining = { eta = 0.3, max_depth = 9 }"),
        ("[projects.rc.fraud-detection.training]", "[projects.rc.fraud-detection.training]\nmax_depth = 2"),
    )
    assert project.training.eta == 0.3
    assert project.training.max_depth == 2
    assert project.training.class_weights == "balanced"


def test_settings_cannot_be_changed_after_they_are_read(project: Project) -> None:
    with pytest.raises(ValueError, match="frozen"):
        project.accuracy_threshold = 0.1  # type: ignore[misc]


def test_the_file_is_found_from_any_folder_below_it(
    tmp_path: Path, make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.delenv("GATEHOUSE_SETTINGS", raising=False)
    assert load_settings().root == tmp_path


def test_an_environment_variable_names_the_file(
    tmp_path: Path, make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path / "elsewhere")
    monkeypatch.setenv("GATEHOUSE_SETTINGS", str(tmp_path / "elsewhere" / "projects.toml"))
    assert load_settings().root == tmp_path / "elsewhere"


def test_no_file_anywhere_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEHOUSE_SETTINGS", raising=False)
    with pytest.raises(
        GatehouseError, match=r"no projects\.toml here or in a folder above.*GATEHOUSE_SETTINGS"
    ):
        load_settings()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GatehouseError, match=r"other\.toml: the settings cannot be read: No such file"):
        load_settings(tmp_path / "other.toml")


def test_broken_toml_is_located(tmp_path: Path) -> None:
    (tmp_path / "projects.toml").write_text("[defaults]\nregion = eu\n")
    with pytest.raises(GatehouseError, match=r"projects\.toml: this is not valid TOML: .*line 2"):
        load_settings(tmp_path / "projects.toml")


TASK, THRESHOLD, TARGET, WEIGHTS = (
    'task = "binary"',
    "accuracy_threshold = 0.9",
    'target = "fraud"',
    'class_weights = "balanced"',
)
PROJECT = "[projects.rc.fraud-detection]"
DATA = "[projects.rc.fraud-detection.data]"
TRAINING = "[projects.rc.fraud-detection.training]"
MISTAKES = [
    ('owner = "rc-ml"\n' + TASK, TASK, PROJECT, "owner: this key is missing. Add it here or in [defaults]."),
    ('owner = "rc-ml"\n' + TASK, f'ownr = "x"\n{TASK}', PROJECT, "Did you mean 'owner'?"),
    ("[defaults]", "[defalts]", "[defalts]", "unknown key. Did you mean 'defaults'?"),
    ("[defaults]", '[defaults]\nbuket = "b"', "[defaults]", "buket: unknown key. Did you mean 'bucket'?"),
    ("[defaults]", '[defaults]\nteam = "b"', "[defaults]", "team: unknown key"),
    ("[defaults]", '[defaults]\nrole = "admin"', "[defaults]", "role: 'admin' has the wrong form. Write the"),
    ("[defaults]", '[defaults]\ncache_expire_after = "30 days"', "[defaults]", "ISO 8601"),
    ("[defaults]", '[defaults]\ncache_expire_after = "P1DT"', "[defaults]", "ISO 8601"),
    ("[defaults]", "[defaults]\ntraining_instance_count = 0", "[defaults]", "training_instance_count: 0 is"),
    ("[defaults]", "[defaults]\ntraining_instance_count = true", "[defaults]", "True is wrong. It must be a"),
    ('region = "eu-west-1"', 'region = "europe"', "[defaults]", "'europe' has the wrong form. Write an AWS"),
    (
        TASK,
        'task = "ranking"',
        PROJECT,
        "task: 'ranking' is wrong. It must be 'binary', 'multiclass' or 'regression'.",
    ),
    (THRESHOLD, "gate = { metirc = 'auc' }", "fraud-detection.gate] metirc", "Did you mean 'metric'?"),
    (THRESHOLD, "gate = { metric = 'auk' }", PROJECT, "gate.metric 'auk' is no metric of a binary task"),
    (THRESHOLD, "gate = { metric = 'weighted_f1', threshold = 0.5 }", PROJECT, "no metric of a binary task"),
    (
        THRESHOLD,
        "gate = { metric = 'auc', threshold = 1.5 }",
        PROJECT,
        "gate.threshold is 1.5; it must be from",
    ),
    (
        THRESHOLD,
        "gate = { metric = 'auc' }",
        PROJECT,
        "the gate has no threshold for auc; give gate.threshold",
    ),
    (THRESHOLD, "gate = {}", PROJECT, "give gate.threshold or accuracy_threshold"),
    (THRESHOLD, f"{THRESHOLD}\ngate.threshold = 0.8", PROJECT, "say the same; give one of them"),
    (THRESHOLD, f"{THRESHOLD}\ngate.floors.recall = 1.01", PROJECT, "gate.floors.recall is 1.01; it must be"),
    (THRESHOLD, f"{THRESHOLD}\ngate.floors.auc.yes = 0.9", PROJECT, "a class has: recall, precision, f1"),
    (THRESHOLD, f"{THRESHOLD}\ngate.floors.rmse = 0.9", PROJECT, "names 'rmse'; a binary task has: accuracy"),
    (THRESHOLD, f"{THRESHOLD}\ngate.slices = ['shop']", PROJECT, "gate.slices and gate.slice_floor belong"),
    (
        THRESHOLD,
        "gate = { metric = 'auk', floors = { rmse = 1 }, slices = ['shop'] }",
        PROJECT,
        "false_positive_rate, false_negative_rate; gate.floors names 'rmse'",
    ),
    (
        TASK,
        'task = "regression"',
        PROJECT,
        "data.positive_class belongs to task = 'binary'; a regression task",
    ),
    (THRESHOLD, "accuracy_threshold = 1.2", PROJECT, "1.2 is wrong. It must be less than or equal to 1."),
    (THRESHOLD, "accuracy_threshold = -1", PROJECT, "accuracy_threshold: -1 is wrong"),
    (THRESHOLD, "accuracy_threshold = nan", PROJECT, "accuracy_threshold: nan is wrong"),
    (THRESHOLD, 'accuracy_threshold = "0.9"', PROJECT, "'0.9' is wrong. It must be a valid number."),
    (TARGET + "\n", "", DATA, "target: this key is missing"),
    (TARGET, f'{TARGET}\ndrop = ["fraud"]', DATA, "drop names the target 'fraud'"),
    (TARGET, f'{TARGET}\nkey = "fraud"', DATA, "key names the target 'fraud'"),
    (TARGET, f'{TARGET}\nfeatures = ["fraud"]', DATA, "features names the target 'fraud'"),
    (TARGET, f'{TARGET}\nfeatures = ["a", "a"]', DATA, "features: names 'a' more than once"),
    (TARGET, f'{TARGET}\nfeatures = ["a", 1]', DATA, "features: 1 is wrong. It must be a valid string."),
    (TARGET, f'{TARGET}\nfeatures = ["a"]\ndrop = ["a"]', DATA, "'a' is in both features and drop"),
    (TARGET, f"{TARGET}\nheader = false", DATA, "header = false needs columns"),
    (TARGET, f'{TARGET}\ncolumns = ["a"]', DATA, "target names 'fraud', which is not in columns"),
    (TARGET, f'{TARGET}\ndelimiter = ";;"', DATA, "delimiter: ';;' is wrong"),
    (TARGET, f'{TARGET}\nkinds = {{ age = "numbr" }}', "kinds] age", "'numbr' is wrong. It must be 'number'"),
    (TARGET, f"{TARGET}\nsplit = {{ train = 0.9 }}", "data.split]", "add up to 1.2; they must add up to 1"),
    (TARGET, f"{TARGET}\nsplit = {{ trian = 0.7 }}", "data.split]", "Did you mean 'train'?"),
    (WEIGHTS, "eta = 0", TRAINING, "eta: 0 is wrong. It must be greater than 0."),
    (WEIGHTS, "max_depth = 2.5", TRAINING, "max_depth: 2.5 is wrong. It must be a valid integer."),
    ("lambda = 2.0", "eta = 2.0", TRAINING, "extra names 'eta', which has a key of its own"),
    ('risk = "medium"', 'risk = "none"', "fraud-detection.card] risk", "'none' is wrong"),
    ('version = "2026-10"', 'positive_class = "x"', "card-types]", "a multiclass task has none"),
    ("[projects.rc.card-types", "[projects.rc.'card types'", "card types]", "cannot be part of a pipeline"),
    ("[projects.rc.card-types", "[projects.rc.Card-types", "rc.Card-types]", "lower case: 'card-types'"),
    ("[projects.rc.card-types", "[projects.RC.card-types", "RC.card-types]", "'RC' has upper-case letters"),
    (
        "[defaults]",
        'default_project = "rc-fraud"\n[defaults]',
        "default_project",
        "no project 'rc-fraud'. Did",
    ),
]


@pytest.mark.parametrize(("old", "new", "place", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_place_and_remedy(
    tmp_path: Path, make_project: MakeProject, old: str, new: str, place: str, message: str
) -> None:
    with pytest.raises(GatehouseError) as caught:
        make_project(tmp_path, (old, new))
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}/projects.toml: ")
    assert place in text
    assert message in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (
            "metric = 'accuracy'",
            "gate.metric 'accuracy' is no metric of a regression task, which has: rmse, r2",
        ),
        ("metric = 'rmse'", "the gate has no threshold for rmse; give gate.threshold"),
        ("metric = 'rmse', threshold = -1", "gate.threshold is -1; it must be at least 0"),
        ("metric = 'r2', threshold = 1.5", "gate.threshold is 1.5; it must be from 0 to 1"),
        (
            "metric = 'rmse', threshold = 9, floors = { recall = { yes = 0.9 } }",
            "gate.floors names 'recall.yes'; a regression task has no classes",
        ),
        (
            "metric = 'rmse', threshold = 9, slices = ['shop'], slice_floor = 0.5",
            "gate.slices is about the rate of right answers, which a regression task has not",
        ),
        (
            "metric = 'rmse', threshold = 9",
            "training.class_weights is for classes, which a regression task has not",
        ),
    ],
)
def test_what_a_regression_has_not_is_refused_by_name(
    tmp_path: Path, make_project: MakeProject, gate: str, message: str
) -> None:
    replaced = [(TASK, 'task = "regression"'), ('positive_class = "yes"\n', "")]
    with pytest.raises(GatehouseError) as caught:
        make_project(tmp_path, *replaced, (THRESHOLD, f"gate = {{ {gate} }}"))
    assert message in str(caught.value)


def test_two_projects_of_one_full_name_are_refused(tmp_path: Path, make_project: MakeProject) -> None:
    table = '[projects.rc-fraud.detection]\ndescription = "d"\nowner = "o"\ntask = "binary"\n'
    table += 'accuracy_threshold = 0.5\ndata = { source = "d.csv", target = "t" }\n[projects.rc.card-types]'
    with pytest.raises(GatehouseError, match="two projects have the name rc-fraud-detection"):
        make_project(tmp_path, ("[projects.rc.card-types]", table))


def test_a_name_too_long_for_a_model_package_group_is_refused(
    tmp_path: Path, make_project: MakeProject
) -> None:
    with pytest.raises(GatehouseError, match="a model package group at most 63"):
        make_project(tmp_path, ("projects.rc.", f"projects.{'r' * 60}."))


def test_an_unknown_project_is_answered_with_the_nearest_name(project: Project) -> None:
    with pytest.raises(GatehouseError, match="Did you mean 'rc-fraud-detection'"):
        load_settings(project.file).project("rc-fraud-detecton")


def test_without_a_default_a_project_has_to_be_named(project: Project) -> None:
    with pytest.raises(GatehouseError, match="Name one of: rc-card-types, rc-fraud-detection"):
        load_settings(project.file).project()


def test_an_error_is_one_line_of_what_where_and_remedy() -> None:
    error = GatehouseError("the disk\nis full", where="/data", remedy="Make room")
    assert str(error) == "/data: the disk is full. Make room."
    assert str(GatehouseError("nothing works?")) == "nothing works?"
