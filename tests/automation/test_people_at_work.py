"""What the automation does while a person deploys or rolls back: nothing, whenever its events come."""

from __future__ import annotations

from automated_project import AutomatedProject


def test_a_person_at_work_is_left_alone(automated: AutomatedProject) -> None:
    """`gatehouse deploy` moves the endpoint first and writes the parameter last."""
    registry = automated.registry
    first, second = registry.register(approved=True), registry.register(approved=True)
    registry.done("deploy", "--env", "dev", "--version", first)
    automated.arrived("dev")
    automated.changed("dev")
    assert automated.subjects() == [f"version {first} serves in dev"]
    registry.done("deploy", "--env", "dev", "--version", second)
    automated.arrived("dev")
    registry.done("rollback", "--env", "dev")
    automated.changed("dev")
    assert automated.serving("dev") == registry.arn(first)
    assert automated.subjects() == [f"version {second} serves in dev", f"version {first} serves in dev again"]
    # Back to a rejected version on purpose: the timer does not know better.
    registry.done("deploy", "--env", "dev", "--version", second)
    registry.done("reject", first, "--force")
    registry.done("rollback", "--env", "dev")
    automated.timer()
    assert registry.parameter("dev") == registry.arn(first)


def test_a_person_who_rolls_back_before_the_deployment_was_announced_is_left_alone(
    automated: AutomatedProject,
) -> None:
    """The endpoint's event comes when `gatehouse rollback` has moved it and not yet written the parameter."""
    registry = automated.registry
    first, second = registry.register(approved=True), registry.register(approved=True)
    registry.done("deploy", "--env", "dev", "--version", first)
    automated.changed("dev")
    config = automated.config("dev")
    registry.done("deploy", "--env", "dev", "--version", second)
    automated.messages()
    automated.move("dev", config)
    assert "a person is at work" in automated.arrived("dev")
    assert automated.serving("dev") == registry.arn(first)
    assert registry.parameter("dev") == registry.arn(second)
    registry.done("rollback", "--env", "dev")
    automated.changed("dev")
    assert registry.parameter("dev") == automated.serving("dev") == registry.arn(first)
    assert automated.subjects() == [f"version {first} serves in dev again"]


def test_a_person_who_moves_what_the_automation_has_just_deployed_is_left_alone(
    automated: AutomatedProject,
) -> None:
    registry = automated.registry
    first, second, third = (registry.register(approved=True) for _ in range(3))
    configs = {}
    for version in (first, second):
        registry.done("deploy", "--env", "dev", "--version", version)
        automated.changed("dev")
        configs[version] = automated.config("dev")
    automated.decided(third)
    automated.changed("dev")
    assert automated.status("dev") == "InService"
    automated.messages()
    automated.move("dev", configs[first])  # as `gatehouse rollback --to` does first
    automated.arrived("dev")
    assert registry.parameter("dev") == automated.serving("dev") == registry.arn(first)
    [(_, text)] = automated.messages()
    assert f"the endpoint serves version {first} again" in text
    registry.done("rollback", "--env", "dev", "--to", first)
    automated.changed("dev")
    assert automated.subjects() == []


def test_a_person_who_replaces_a_rejected_version_that_was_left_serving_is_left_alone(
    automated: AutomatedProject,
) -> None:
    """The endpoint's event comes when `gatehouse deploy` has moved it and not yet written the parameter."""
    registry = automated.registry
    first, second = registry.register(approved=True), registry.register(approved=True)
    registry.done("deploy", "--env", "dev", "--version", second)
    config = automated.config("dev")
    name = f"/gatehouse/{registry.project}/dev/model-package"
    registry.client("ssm").delete_parameter(Name=name)
    registry.done("deploy", "--env", "dev", "--version", first)
    automated.changed("dev")
    registry.done("reject", first, "--force")
    automated.decided(first)
    assert f"version {first} still serves in dev" in automated.subjects()

    automated.move("dev", config)
    assert "a person is at work" in automated.arrived("dev")
    assert registry.parameter("dev") == registry.arn(first)
    registry.done("deploy", "--env", "dev", "--version", second)
    automated.changed("dev")
    assert automated.subjects() == [f"version {second} serves in dev"]
    history = registry.done("environments", "--env", "dev", "--json").document
    assert [entry["version"] for entry in history] == [second, first]
