"""From settings and sources to the definition document: offline, the same bytes everywhere.

pipeline         the pipeline, from parameters to gate; the one file to read first
bundles          container folders and data settings, named by their content
dataset          the data, named by its content
source_commit    the commit that all of it comes from
sources          the last three, gathered
bucket           is the bucket there, what is in it
model_card       the text that a version is registered with
sagemaker_sdk    the SageMaker SDK with its traps closed
limits           what AWS would refuse late, refused at once
compile          sources -> definition document
"""
