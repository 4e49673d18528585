"""Runs one instance of a job: gives it `/opt/ml`, copies its output to the log, ends what it leaves behind.

A program of its own, so that the server never forks, never holds a job's output and can be killed
without leaving anything. It starts with each job: run by a bare interpreter (``opt_ml`` has the command),
it imports next to nothing and costs some 4 ms on top of it. So none of these modules imports anything of
this project but the others, and only small modules of the standard library: not even ``signal``, which makes
enums of its numbers and takes longer than all the others, but the module that it is made of.

    run         runs one instance, from the server's request to the last message
    messages    what the server and the launcher send each other
    namespace   /opt/ml by a mount namespace
    link        /opt/ml by a symbolic link
    job_process the job's own process, and the end of all that it has started
    log         the job's output on disk
    linux       system calls that Python's os module lacks
    probe       which ways of giving /opt/ml work on this machine, each really tried

How `/opt/ml` becomes the job's folder:

    namespace  a mount namespace of its own with the folder bound at /opt/ml; a pid namespace where
               /proc may be mounted, so that the kernel itself ends whatever a job leaves behind;
               its own /etc/hosts and host name, so that algo-1, algo-2, ... reach each other
    symlink    /opt/ml is a symbolic link, held by one job at a time under a lock (root only)
    rewrite    nothing here: the server has put the folder's real path wherever /opt/ml was written
"""
