"""S3 on this machine: objects as plain files, and the REST-XML protocol in front of them.

objects    buckets and objects: an overwrite flips from the old to the new in one commit
listing    keys in order, folded at a delimiter, in pages
files      where a file lies, how it is written, what a killed process left
uploads    multipart uploads, which survive a restart
http       from an HTTP request to one of the *_operations modules
"""
