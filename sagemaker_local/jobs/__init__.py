"""Runs processing and training jobs as real processes, with `/opt/ml` as AWS lays it out.

runner      creates, stops and awaits jobs; ends those that a dead process left
job_thread  carries out one job: prepare, run the instances, collect
phases      a job's phases and its end, in its document
job         what a job is to the modules below, and what the two kinds of jobs call things
processing  lays out and collects what a processing job is given and leaves
training    the same for a training job
places      a job's folders, and how a path inside the container becomes a path on this machine
images      what an image and a request mean as a command and an environment
script_mode what the XGBoost and scikit-learn images' training toolkit does before the script starts
transfer    from S3 to a job's folders, and back
archive     tar files: safe to unpack, reproducible to pack
opt_ml      which way of giving /opt/ml works on this machine
launcher/   a small program of its own that gives one process its /opt/ml and copies its output
process     starts launchers and watches them
job_log     a job's output with the time of each line
failure     why a job failed, in AWS's terms
"""
