"""`gatehouse inbox`: the messages that the automation would mail to people in AWS.

Every topic of the local SageMaker has the queue `local-inbox` as a subscriber.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.local_endpoint import connection, is_kept_up
from pipelines.commands.options import project_argument
from pipelines.commands.output import Document, Lines, Output, Remark, moment, with_json
from pipelines.executions.inbox import QUEUE, InboxMessage, is_about, queue_url, read_messages
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import resolve_target


@click.command("inbox")
@project_argument
@click.option(
    "--queue",
    default=QUEUE,
    show_default=True,
    metavar="NAME",
    help="Another queue, e.g. one of dead letters: gatehouse-{team}-{project}-dead-letters.",
)
@click.option("--delete", is_flag=True, help="Delete what is shown.")
@with_json
def command(project: str | None, queue: str, delete: bool) -> Output:
    """Show what people were told by the automation on this machine, oldest first.

    Mail is not sent from here: what a topic would mail in AWS is read here instead. With PROJECT, only
    what is about that project. Events are handled while `gatehouse local up` runs.

    \b
    Example:
      gatehouse inbox
      gatehouse inbox --queue gatehouse-health-tumor-diagnosis-dead-letters
    """
    settings = load_settings()
    meant = [settings.project(project)] if project or not settings.projects else settings.projects.values()
    # A queue is in one region, and so are the messages about the projects there.
    targets = {at.region: at for at in (resolve_target(one, "local") for one in meant)}
    with connection(next(iter(targets.values())), settings) as connect:
        url = str(connect().endpoint_url)
        clients = [target.at(url).client("sqs") for target in targets.values()]
        queues = [(sqs, at) for sqs in clients if (at := queue_url(sqs, queue)) is not None]
        found = [(message, sqs, at) for sqs, at in queues for message in read_messages(sqs, at)]
        if project is not None:
            found = [one for one in found if is_about(one[0], project)]
        found.sort(key=lambda one: one[0].sent)
        for message, sqs, at in found if delete else ():
            sqs.delete_message(QueueUrl=at, ReceiptHandle=message.receipt)
    if not queues and queue != QUEUE:
        raise GatehouseError(
            f"there is no queue {queue} on this machine",
            remedy="`gatehouse local up` makes the queues of the projects in projects.toml",
        )
    messages = [message for message, _, _ in found]
    yield Document([_document(message) for message in messages])
    for message in messages:
        yield Lines(_in_lines(message))
    if not messages:
        yield Remark("There are no messages.")
    if not is_kept_up(settings):
        yield Remark("Events wait until they are handled: bring it up with `gatehouse local up`.")


def _document(message: InboxMessage) -> dict[str, object]:
    return {
        "id": message.id,
        "sent": message.sent,
        "topic": message.topic,
        "subject": message.subject,
        "text": message.text,
        "attributes": message.attributes,
    }


def _in_lines(message: InboxMessage) -> Iterator[str]:
    source = (message.topic or "").rpartition(":")[2]
    yield f"{moment(message.sent)}  {message.subject or source or 'message'}"
    for line in message.text.splitlines():
        yield f"  {line}"
    for name, value in message.attributes.items():
        yield f"  {name}: {value}"
    yield ""
