"""CloudFormation templates, read and carried out here: their rules, functions, topics and queues."""
