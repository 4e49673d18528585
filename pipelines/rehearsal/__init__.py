"""Half a year of a project's life on a clock that is set: the end-to-end test of everything after deployment.

    rows     the project's own data as a history and a future: requests, their drift, and their labels
    world    the project as it is rehearsed, and the SageMaker that it is rehearsed on
    play     day by day: requests, labels, comparisons, trainings, approvals, deployments

Nothing of it is made up but the time, the rows that come, and the person who approves: the endpoint captures
real requests, the schedule starts the monitoring pipeline, the automation's functions are called by events,
and a version passes the project's own gate. All of it over AWS's protocols, as a user would.
"""
