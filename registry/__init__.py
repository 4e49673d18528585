"""Life after the gate: groups, versions, review, environments, deployment and rollback, over botocore alone.

    groups -> versions (model_packages, version_details, comparison) -> review, model_cards, sharing
           -> environments, deployment_history, environment_state
           -> deployments, endpoint_requests, endpoint_changes, rollout, rollbacks
           -> invocations, batch_transforms

Every operation that changes something is two functions: one that reads and returns a frozen plan,
and one that carries the plan out. Clients come from whoever calls (``clients.Clients``), so the same
code works on AWS and on the SageMaker of this machine.
"""
