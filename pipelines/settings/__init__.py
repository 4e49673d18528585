"""What people decide, read and checked before anything else happens: projects, targets, environments.

projects_file    projects.toml -> validated, frozen values; errors with place and remedy
project          the tables of one project, their keys, ranges and defaults
team_variables   teams and projects from environment variables
target           AWS or this machine: region, role, bucket, and the clients that speak to it
tags             team, project and owner of what is made in AWS
environments     where versions serve: place, role, size, network
"""
