"""`gatehouse projects`: a line on every project of the settings."""

from __future__ import annotations

from dataclasses import replace

from registered_models import SETTINGS, Registry


def test_every_project_has_a_line_with_its_newest_version_what_waits_and_what_serves(
    serving: Registry,
) -> None:
    """A project of which version 1 serves in dev, one whose versions wait, and one without a version."""
    short_name = serving.project.removeprefix("rc-")
    table = SETTINGS.partition("[projects.")[2].partition("[projects.rc.{name}.card]")[0]
    for other in ("waiting", "empty"):
        serving.settings("[projects." + table.format(name=f"{other}-{short_name}"))
    waiting = replace(serving, project=f"rc-waiting-{short_name}")
    waiting.register(accuracy=0.7, verdict=serving.model.verdict)
    waiting.register(approved=True)
    for _ in range(4):
        waiting.register(accuracy=0.8)
    waiting.register(accuracy=0.9, verdict=serving.model.verdict)

    first, second, third, *others = serving.done("projects", "--json").document
    assert not [one for one in others if short_name in one["project"]]
    assert (first["project"], first["version"], first["waiting"]) == (serving.project, 1, [])
    assert first["environments"] == {"dev": 1}
    assert first["arn"] == serving.arn(1)
    assert (second["project"], second["version"]) == (waiting.project, 7)
    assert second["waiting"] == [7, 6, 5, 4, 3, 1]
    assert (second["verdict"], second["metric"]) == ("passed", "accuracy")
    assert (second["approval"], second["environments"]) == ("PendingManualApproval", {})
    assert (third["version"], third["waiting"], third["environments"]) == (None, [], {})

    heading, _, *rows = serving.done("projects").out.splitlines()
    assert heading.split() == ["Project", "Version", "Metric", "Waiting", "Serves"]
    assert [row.split()[:2] for row in rows[:3]] == [
        [serving.project, "1"],
        [waiting.project, "7"],
        [third["project"], "-"],
    ]
    assert "dev 1" in rows[0]
    assert "7, 6, 5, 3 more" in rows[1]
    assert f"accuracy {second['value']:.4f}" in rows[1]


def test_projects_that_an_env_file_made_and_no_settings_name_are_listed_too(registry: Registry) -> None:
    team = registry.project.removeprefix("rc-").replace("-", "")
    (registry.folder / "teams.env").write_text(f"TEAMS={team}\n{team.upper()}_PROJECTS='freight parcels'\n")
    registry.done("groups", "setup", "--env-file", "teams.env")
    registry.client("sagemaker").create_model_package_group(ModelPackageGroupName=f"{team}-of-others")
    replace(registry, project=f"{team}-parcels").register(approved=True)
    first, *others = registry.done("projects", "--json").document
    assert first["project"] == registry.project
    assert [
        (one["project"], one["description"], one["owner"], one["version"])
        for one in others
        if one["project"].startswith(team)
    ] == [
        (f"{team}-freight", f"Models of team {team}, project freight", None, None),
        (f"{team}-parcels", f"Models of team {team}, project parcels", None, 1),
    ]
