"""A project's CloudFormation stacks in AWS: bucket, roles, CI and the automation.

handler_code   the zip file of the automation's functions
stacks         which template, what name, which parameters, all from the settings
deployment     what a deployment of the stacks would change, and the deployment
"""
