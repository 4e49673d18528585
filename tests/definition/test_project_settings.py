"""What a settings file may say, and what a person reads when it says something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aws_formats.errors import GatehouseError
from evaluation.metric_table import METRICS
from pipelines.settings.project import Project
from pipelines.settings.projects_file import load_settings
from pipelines.upsert.prices import FILE as PRICES
from pipelines.upsert.prices import read_prices

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


def test_what_may_be_left_out_has_a_value(tmp_path: Path) -> None:
    table = '[projects.rc.{0}]\ndescription = "d"\nowner = "o"\ntask = "binary"\naccuracy_threshold = 0.9\n'
    table += '[projects.rc.{0}.data]\nsource = "d.csv"\ntarget = "t"\n'
    file = tmp_path / "projects.toml"
    file.write_text(table.format("churn"))
    settings = load_settings(file)
    assert settings.project().name == settings.default_project == "rc-churn"  # the only one
    assert settings.project().region == "us-east-1"
    file.write_text(table.format("churn") + table.format("fraud"))
    with pytest.raises(GatehouseError, match="no project is named"):
        load_settings(file).project()


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


@pytest.mark.parametrize(("encoding", "line"), [("latin-1", 3), ("utf-16", 1)])
def test_a_file_in_another_encoding_is_to_be_saved_as_utf_8(tmp_path: Path, encoding: str, line: int) -> None:
    file = tmp_path / "projects.toml"
    file.write_text('# a\n[projects.a.b]\nowner = "Jürgen"\n', encoding=encoding)
    with pytest.raises(GatehouseError, match=rf"toml, line {line}: .* not UTF-8\. Save it as UTF-8"):
        load_settings(file)


def test_a_file_that_begins_with_a_byte_order_mark_is_read(make_project: MakeProject, tmp_path: Path) -> None:
    file = make_project(tmp_path).file
    file.write_text(file.read_text(encoding="utf-8"), encoding="utf-8-sig")  # as editors of Windows write it
    assert "rc-fraud-detection" in load_settings(file).projects
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert read_prices(tmp_path).file == prices


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
EXTRA = "[projects.rc.fraud-detection.training.extra]"
GATE = "[projects.rc.fraud-detection.gate]"
MISTAKES = [
    ('owner = "rc-ml"\n' + TASK, TASK, PROJECT, "owner: this key is missing. Add it here or in [defaults]."),
    ('owner = "rc-ml"\n' + TASK, f'ownr = "x"\n{TASK}', PROJECT, "Did you mean 'owner'?"),
    ("[defaults]", "[defalts]", "[defalts]", "unknown key. Did you mean 'defaults'?"),
    ("[defaults]", '[defaults]\nbuket = "b"', "[defaults]", "buket: unknown key. Did you mean 'bucket'?"),
    ("[defaults]", '[defaults]\nteam = "b"', "[defaults]", "team: unknown key"),
    (
        "[defaults]",
        '[defaults]\nmlflow = "http://127.0.0.1:5000"',
        "[defaults]",
        "mlflow: 'http://127.0.0.1:5000' has the wrong form. Write the full ARN of an MLflow App or a",
    ),
    (
        "[defaults]",
        '[defaults]\nmlflow = "arn:aws:sagemaker:eu-west-1:111122223333:mlflow-server/x"',
        "[defaults]",
        "has the wrong form. Write the full ARN of an MLflow App or a tracking",
    ),
    ("[defaults]", '[defaults]\nrole = "admin"', "[defaults]", "role: 'admin' has the wrong form. Write the"),
    ("[defaults]", '[defaults]\ncache_expire_after = "30 days"', "[defaults]", "ISO 8601"),
    ("[defaults]", '[defaults]\ncache_expire_after = "P1DT"', "[defaults]", "ISO 8601"),
    (
        WEIGHTS,
        f"{WEIGHTS}\nmax_wait_hours = 8",
        "[projects.rc.fraud-detection.training]",
        "max_wait_hours is how long a job waits for spot instances; it needs spot = true",
    ),
    (
        WEIGHTS,
        f"{WEIGHTS}\nspot = true\nmax_wait_hours = 3",
        "[projects.rc.fraud-detection.training] max_wait_hours",
        "3 is less than max_runtime_hours, 4, which is a part of it. Make it at least as long.",
    ),
    (
        WEIGHTS,
        f"{WEIGHTS}\nspot = true\nkeep_alive_minutes = 5",
        "[projects.rc.fraud-detection.training]",
        "keep_alive_minutes is for instances that are kept; spot instances cannot be",
    ),
    (WEIGHTS, f"{WEIGHTS}\nkeep_alive_minutes = 61", "training]", "keep_alive_minutes: 61 is"),
    (WEIGHTS, f'{WEIGHTS}\ndevice = "gpu"', "training]", "device: 'gpu' is wrong. It must be 'auto', 'cpu'"),
    ("[defaults]", "[defaults]\ntraining_instance_count = 0", "[defaults]", "training_instance_count: 0 is"),
    ("[defaults]", "[defaults]\ntraining_instance_count = true", "[defaults]", "True is wrong. It must be a"),
    ('region = "eu-west-1"', 'region = "europe"', "[defaults]", "'europe' has the wrong form. Write an AWS"),
    (
        THRESHOLD,
        f"{THRESHOLD}\nenvironments.prod.replay = true",
        "environments.prod",
        "replay = true needs a table capture: only captured requests can be sent again",
    ),
    (
        TASK,
        'task = "ranking"',
        PROJECT,
        "task: 'ranking' is wrong. It must be 'binary', 'multiclass' or 'regression'.",
    ),
    (THRESHOLD, "gate = { metirc = 'auc' }", "fraud-detection.gate] metirc", "Did you mean 'metric'?"),
    (
        THRESHOLD,
        "gate = { metric = 'auk' }",
        f"{GATE} metric",
        "'auk' is no metric of a binary task. Did you mean 'auc'?",
    ),
    (
        THRESHOLD,
        "gate = { metric = 'weighted_f1', threshold = 0.5 }",
        f"{GATE} metric",
        "no metric of a binary task. The metrics of a binary task are: accuracy, auc, f0_5, f1, f2, fal",
    ),
    (
        THRESHOLD,
        "gate = { metric = 'auc', threshold = 1.5 }",
        f"{GATE} threshold",
        "1.5 is no possible value of AUC. It must be from 0 to 1.",
    ),
    (
        THRESHOLD,
        "gate = { metric = 'auc' }",
        f"{GATE} threshold",
        "the gate has no threshold for auc. Give gate.threshold.",
    ),
    (
        THRESHOLD,
        "gate = {}",
        f"{GATE} threshold",
        "no threshold for accuracy. Give it, or accuracy_threshold.",
    ),
    (
        THRESHOLD,
        f"{THRESHOLD}\ngate.threshold = 0.8",
        f"{GATE} threshold",
        "says the same. Give one of them.",
    ),
    (
        THRESHOLD,
        f"{THRESHOLD}\ngate.metric = 'auc'\ngate.threshold = 0.8",
        f"{PROJECT} accuracy_threshold",
        "it is the threshold of the metric accuracy, but gate.metric is 'auc'. Take it out, or write"
        " gate.floors.accuracy = 0.9.",
    ),
    (
        THRESHOLD,
        f"{THRESHOLD}\ngate.floors.recall = 1.01",
        "fraud-detection.gate.floors] recall",
        "1.01 is no possible value of recall. It must be from 0 to 1.",
    ),
    (THRESHOLD, f"{THRESHOLD}\ngate.floors.recall = nan", "gate.floors] recall", "nan is no possible value"),
    (THRESHOLD, f"{THRESHOLD}\ngate.floors.recall = '0.9'", "gate.floors] recall", "must be a valid number."),
    (THRESHOLD, f"{THRESHOLD}\ngate.floors.recall = true", "gate.floors] recall", "True is wrong."),
    (THRESHOLD, f"{THRESHOLD}\ngate.floors.recall = {{}}", "gate.floors.recall]", "must be a valid number."),
    (THRESHOLD, f"{THRESHOLD}\ngate.floors.recall.yes = 'x'", "gate.floors.recall] yes", "'x' is wrong."),
    (
        THRESHOLD,
        f"{THRESHOLD}\ngate.floors.f1.yes = 7",
        "gate.floors.f1] yes",
        "7 is no possible value of F1. It must be from 0 to 1.",
    ),
    (
        THRESHOLD,
        f"{THRESHOLD}\ngate.floors.auc.yes = 0.9",
        "fraud-detection.gate.floors.auc] yes",
        "a single class has no metric 'auc'. The metrics of a class are: f1, precision, recall.",
    ),
    (
        THRESHOLD,
        f"{THRESHOLD}\ngate.floors.recal.yes = 1",
        "gate.floors.recal] yes",
        "Did you mean 'recall'?",
    ),
    (
        THRESHOLD,
        f"{THRESHOLD}\ngate.floors.rmse = 0.9",
        "gate.floors] rmse",
        "'rmse' is no metric of a binary",
    ),
    (THRESHOLD, f"{THRESHOLD}\ngate.floors.acuracy = 1", "gate.floors] acuracy", "Did you mean 'accuracy'?"),
    (
        THRESHOLD,
        f"{THRESHOLD}\ngate.slices = ['shop']",
        f"{GATE} slice_floor",
        "slices and slice_floor belong together. Give both or neither.",
    ),
    (THRESHOLD, f"{THRESHOLD}\ngate.slice_floor = 0.5", f"{GATE} slices", "slices and slice_floor belong"),
    (
        THRESHOLD,
        f"{THRESHOLD}\ngate.slice_floor = 1",
        f"{GATE} slice_floor",
        "1 is wrong. It must be less than",
    ),
    (
        THRESHOLD,
        f"{THRESHOLD}\ngate.slices = ['fraud']\ngate.slice_floor = 0.5",
        f"{GATE} slices",
        "'fraud' is the target, whose values are the classes. Give the classes floors instead",
    ),
    (
        "accuracy_threshold = 0.8",
        "gate = { threshold = 0.8, floors = { recall = 0.5 } }",
        "card-types.gate.floors] recall",
        "'recall' is no metric of a multiclass task. Each class has its own: write gate.floors.recall.<cl",
    ),
    (
        TASK,
        'task = "regression"',
        f"{DATA} positive_class",
        "positive_class belongs to task = 'binary'; a regression task has none",
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
    (TARGET, f'{TARGET}\nfeatures = ["a", 1]', DATA, "features: 1 is wrong. It must be text: '1'."),
    (TARGET, f'{TARGET}\nfeatures = ["a"]\ndrop = ["a"]', DATA, "'a' is in both features and drop"),
    (TARGET, f"{TARGET}\nheader = false", DATA, "header = false needs columns"),
    (TARGET, f'{TARGET}\ncolumns = ["a"]', DATA, "target names 'fraud', which is not in columns"),
    (TARGET, f'{TARGET}\ndelimiter = ";;"', DATA, "delimiter: ';;' is wrong"),
    (
        TARGET,
        f'{TARGET}\ndelimiter = ";;"',
        "data] delimiter",
        "';;' is wrong. It must have at most 1 character.",
    ),
    (TARGET, f'{TARGET}\ndecimal = ";"', "data] decimal", "It must be '.' or ','"),
    (
        TARGET,
        f'{TARGET}\ndecimal = {{ a = "," }}\nthousands = ","',
        "data]",
        "decimal and thousands are both",
    ),
    (TARGET, f'{TARGET}\ndate_format = "%d/%q"', "data] date_format", "there is no %q"),
    (TARGET, f'{TARGET}\ndate_format = {{ a = "day" }}', "data.date_format] a", "names no part of a date"),
    (TARGET, f'{TARGET}\nkinds = {{ age = "numbr" }}', "kinds] age", "'numbr' is wrong. It must be 'number'"),
    (TARGET, f"{TARGET}\nsplit = {{ train = 0.9 }}", "data.split]", "add up to 1.2; they must add up to 1"),
    (TARGET, f"{TARGET}\nsplit = {{ trian = 0.7 }}", "data.split]", "Did you mean 'train'?"),
    (WEIGHTS, "eta = 0", TRAINING, "eta: 0 is wrong. It must be greater than 0."),
    (WEIGHTS, "max_depth = 2.5", TRAINING, "max_depth: 2.5 is wrong. It must be a valid integer."),
    ("lambda = 2.0", "eta = 2.0", TRAINING, "extra names 'eta', which has a key of its own"),
    (
        "lambda = 2.0",
        "lambd = 2.0",
        EXTRA,
        "lambd: there is no hyperparameter 'lambd'. Did you mean 'lambda'?",
    ),
    ("lambda = 2.0", "tuning_metric = 'auc'", EXTRA, "there is no hyperparameter 'tuning_metric'. The"),
    (
        "lambda = 2.0",
        "lambda = -2.0",
        EXTRA,
        "lambda: -2.0 is no lambda: it must be a number at least 0. Correct",
    ),
    (
        "lambda = 2.0",
        "lambda = true",
        EXTRA,
        "lambda: true is no lambda: it must be a number at least 0. Corr",
    ),
    ("lambda = 2.0", "gamma = nan", EXTRA, "gamma: nan is no gamma: it must be a number at least 0. Correct"),
    (
        "lambda = 2.0",
        "max_bin = 9999999999",
        EXTRA,
        "it must be a whole number at least 2 and at most 2147483647",
    ),
    (
        "lambda = 2.0",
        "base_score = 2",
        EXTRA,
        "base_score is 2.0; of classes it is a probability, above 0 and",
    ),
    (
        WEIGHTS,
        "min_child_weight = inf",
        TRAINING,
        "min_child_weight: inf is wrong. It must be a finite number.",
    ),
    (WEIGHTS, "num_round = 3_000_000_000", TRAINING, "It must be less than or equal to 2147483647."),
    (
        WEIGHTS,
        'device = "cuda"\nexternal_memory = "always"',
        TRAINING,
        "external_memory = always is for the processor: what a GPU trains on is in its own memory. Set",
    ),
    ('risk = "medium"', 'risk = "none"', "fraud-detection.card] risk", "'none' is wrong"),
    ('version = "2026-10"', 'positive_class = "x"', "card-types.data]", "a multiclass task has none"),
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
            f"{GATE} metric: 'accuracy' is no metric of a regression task. The metrics of a regression",
        ),
        ("metric = 'rmse'", f"{GATE} threshold: the gate has no threshold for rmse. Give gate.threshold."),
        (
            "metric = 'rmse', threshold = -1",
            f"{GATE} threshold: -1 is no possible value of RMSE. It must be a number from 0 on.",
        ),
        ("metric = 'rmse', threshold = inf", "inf is no possible value of RMSE"),
        ("metric = 'r2', threshold = 1.5", "1.5 is no possible value of R2. It must be from 0 to 1."),
        (
            "metric = 'rmse', threshold = 9, floors = { recall = { yes = 0.9 } }",
            "fraud-detection.gate.floors.recall] yes: a regression task has no classes.",
        ),
        (
            "metric = 'rmse', threshold = 9, slices = ['shop'], slice_floor = 0.5",
            f"{GATE} slices: slices are judged by their share of right answers, which a regression task has",
        ),
        (
            "metric = 'rmse', threshold = 9",
            f"{TRAINING} class_weights: class_weights is for classes, which a regression has not. Take",
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


def test_all_mistakes_of_a_project_are_named_at_once_each_with_its_table_and_key(
    tmp_path: Path, make_project: MakeProject
) -> None:
    gate = """gate = { metric = 'auk', evidence = 'prove', slices = ['shop'], worth = 1,
      floors = { rmse = 1, recall = { yes = 2, no = 'x' } } }""".replace("\n", " ")
    with pytest.raises(GatehouseError) as caught:
        make_project(
            tmp_path, (THRESHOLD, gate), (WEIGHTS, "max_depht = 2\neta = 0"), (DATA, f"{DATA}\nkinds = 3")
        )
    text = str(caught.value)
    table = "[projects.rc.fraud-detection"
    assert [part.split(": ")[0].split(") ")[1] for part in text.split(" (")[1:]] == [
        f"{table}.data] kinds",
        f"{table}.gate.floors.recall] no",
        f"{table}.gate] worth",
        f"{table}.gate] evidence",
        f"{table}.training] eta",
        f"{table}.training] max_depht",
        f"{table}.gate] metric",
        f"{table}.gate.floors] rmse",
        f"{table}.gate.floors.recall] yes",
        f"{table}.gate] slice_floor",
    ]
    assert text.count(f"{tmp_path}/projects.toml") == 1
    assert "\n" not in text


def test_a_description_of_several_lines_is_one_line(tmp_path: Path, make_project: MakeProject) -> None:
    old = 'description = "Finds fraudulent card payments"'
    assert make_project(tmp_path, (old, 'description = """Finds\n  fraud."""')).description == "Finds fraud."
    for text, message in (
        ("a\\u202eb", "it has the character '\\u202e'"),
        ("x" * 1025, "it has 1,025 characters"),
    ):
        with pytest.raises(GatehouseError) as caught:
            make_project(tmp_path, (old, f'description = "{text}"'))
        assert f"description: {message}" in str(caught.value)


def test_all_mistakes_of_a_file_are_named_at_once_and_those_of_the_defaults_once(tmp_path: Path) -> None:
    file = tmp_path / "projects.toml"
    file.write_text("""default_projct = "rc-a"
[defaults]
regoin = "eu-west-1"
[projects.rc.a]
owner = true
[projects.rc.a.data]
drop = "payment_id"
[projects.rc."b_"]
""")
    with pytest.raises(GatehouseError) as caught:
        load_settings(file)
    heading, *lines = caught.value.on_lines.splitlines()
    assert heading == f"{file}:"
    assert [line.strip().partition(" ")[2].partition(": ")[0] for line in lines] == [
        "default_projct",
        *("[projects.rc.a] description", "[projects.rc.a] owner", "[projects.rc.a] task"),
        *("[projects.rc.a.data] source", "[projects.rc.a.data] target", "[projects.rc.a.data] drop"),
        "[defaults] regoin",
        "[projects.rc.b_]",
    ]
    assert "owner: true is wrong. It must be text: 'true'." in lines[2]
    assert "drop: 'payment_id' is wrong. It must be a valid list." in lines[6]
    assert str(caught.value) == " ".join([heading, *(line.strip() for line in lines)])


@pytest.mark.parametrize("gate", ["metirc = 'rmse', threshold = 65", "metric = 5, threshold = 0.5"])
def test_a_key_that_is_wrong_is_not_wrong_again_for_what_follows(
    tmp_path: Path, make_project: MakeProject, gate: str
) -> None:
    replaced = [(TASK, 'task = "regression"'), ('positive_class = "yes"\n', ""), (f"{WEIGHTS}\n", "")]
    with pytest.raises(GatehouseError) as caught:
        make_project(tmp_path, *replaced, (THRESHOLD, f"gate = {{ {gate} }}"))
    assert "(2)" not in str(caught.value)


TASKS = ("binary", "multiclass", "regression")


@pytest.mark.parametrize("task", TASKS)
def test_a_task_takes_its_own_metrics_and_no_others(
    tmp_path: Path, make_project: MakeProject, task: str
) -> None:
    replaced = [(TASK, f'task = "{task}"'), (f"{WEIGHTS}\n", "")]
    if task != "binary":
        replaced.append(('positive_class = "yes"\n', ""))
    usual = {"binary": "auc", "multiclass": "accuracy", "regression": "rmse"}[task]
    for metric, kind in METRICS.items():
        for key, gate in (
            ("metric", f"metric = '{metric}', threshold = 0.5"),
            (f"floors] {metric}", f"metric = '{usual}', threshold = 0.5, floors = {{ {metric} = 0.5 }}"),
        ):
            change = (THRESHOLD, f"gate = {{ {gate} }}")
            if task in kind.tasks:
                make_project(tmp_path, *replaced, change)
                continue
            with pytest.raises(GatehouseError) as caught:
                make_project(tmp_path, *replaced, change)
            assert f"{key}: '{metric}' is no metric of a {task} task." in str(caught.value)


def test_a_default_accuracy_threshold_is_for_projects_whose_gate_says_no_more(
    tmp_path: Path, make_project: MakeProject
) -> None:
    default = ("[defaults]", "[defaults]\naccuracy_threshold = 0.7")
    for gate, threshold in (
        ("", 0.7),
        ("gate.threshold = 0.8", 0.8),
        ("gate = { metric = 'auc', threshold = 0.6 }", 0.6),
    ):
        assert make_project(tmp_path, default, (THRESHOLD, gate)).threshold == threshold
    with pytest.raises(GatehouseError, match="no threshold for auc"):
        make_project(tmp_path, default, (THRESHOLD, "gate.metric = 'auc'"))
    both = ("[defaults]", "[defaults]\naccuracy_threshold = 0.7\ngate.threshold = 0.7")
    with pytest.raises(
        GatehouseError, match=r"\[defaults.gate\] threshold: accuracy_threshold says the same"
    ):
        make_project(tmp_path, both, (THRESHOLD, ""))


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
