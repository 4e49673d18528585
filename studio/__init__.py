"""The pages on which people look at projects, executions, versions and what serves where.

They read SageMaker through AWS's own protocols and the functions that the command line uses, so the same
pages show the SageMaker on this machine and the one in AWS. Nothing here knows how either is made.

- ``app`` maps addresses to pages and is the ASGI application;
- ``access`` decides who may read and who may change;
- ``links`` says where each page is, and what opens it;
- ``source`` says which settings and which SageMaker a page is about;
- ``works`` carries on what takes longer than a request;
- ``views`` read what a page shows into frozen values, and ``templates`` turn these into HTML;
- ``graph`` and ``charts`` place what is drawn, in plain SVG.
"""
