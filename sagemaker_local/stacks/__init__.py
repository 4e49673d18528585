"""CloudFormation templates, read and carried out here: their rules, functions, topics, queues and alarms.

cloudformation  reads a template: YAML with its short forms, and the values of intrinsic functions
templates       a template as a command line names it
references      the names of resources, and what ``Ref`` and ``Fn::GetAtt`` give of them
creation        creates what a template describes, through the operations that a client would call
"""
