"""S3 on this machine: objects as plain files, and the REST-XML protocol in front of them.

objects    buckets and objects: an overwrite replaces the old object by the new one in one commit
listing    keys in order, folded at a delimiter, in pages
files      where a file lies, how it is written, what a killed process left
uploads    multipart uploads, which survive a restart
http       finds the function in one of the *_operations modules that answers a request
"""
