"""Every page by its address; a page is a function of the source and of what is asked."""

from __future__ import annotations

from collections.abc import Mapping

from studio.pages import automation, environments, executions, home, versions
from studio.pages.answers import Page

PAGES: Mapping[str, Page] = {
    "/": home.projects,
    "/p/{project}": executions.listed,
    "/p/{project}/executions/{execution}": executions.one,
    "/p/{project}/executions/{execution}/report": executions.report,
    "/p/{project}/executions/{execution}/steps/{step}": executions.step,
    "/p/{project}/versions": versions.listed,
    "/p/{project}/versions/compare": versions.compared,
    "/p/{project}/versions/{version}": versions.one,
    "/p/{project}/environments": environments.listed,
    "/p/{project}/environments/{environment}": environments.one,
    "/p/{project}/environments/{environment}/try": environments.form,
    "/p/{project}/environments/{environment}/windows/{window}": environments.window_report,
    "/p/{project}/compare": executions.compared,
    "/p/{project}/automation": automation.shown,
}

ASKED_BY_FORM: Mapping[str, Page] = {
    "/p/{project}/environments/{environment}/try": environments.tried,
    "/p/{project}/versions/compare": versions.scored,
}
"""Reached by POST from a form of these pages, also where they only read: to ask a model changes nothing."""

CHANGES: Mapping[str, Page] = {
    "/p/{project}/versions/{version}/decision": versions.decide,
    "/p/{project}/automation/schedule": automation.switch,
    "/p/{project}/automation/timing": automation.timing,
    "/p/{project}/automation/again": automation.again,
    "/p/{project}/environments/{environment}/plan": environments.plan,
    "/p/{project}/environments/{environment}/change": environments.change,
}
"""Reached by POST from a form of these pages only; a plan changes nothing, but its form leads to a change."""
