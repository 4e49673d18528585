"""What the endpoint can do: a module for each family of operations, collected into one table.

A module names its service in ``SERVICE``, as botocore does, and has its handlers by operation in
``OPERATIONS``; there is no other place where an operation or a service is registered. A handler gets the
call and checked parameters and returns the response's members. Documents in the store hold the same
members, and private ones whose names begin with an underscore, which are never sent.

    call        what a handler is given
    operations  checks a request's members, calls the handler, trims its response
    table       every handler, by service and operation
    paging      a page of a list and the token of the next
"""
