"""From a conversation that a client hands in to what is remembered of it."""

from app.api.v1.requests import ConversationIn, MessageIn
from app.domain.access import Principal
from app.domain.change import Receipt
from app.domain.conversation import Message, Trajectory
from app.service.conversations import Conversations, Remembered


def remember(
    conversations: Conversations,
    principal: Principal,
    workspace_id: str,
    body: ConversationIn,
    receipt: Receipt | None,
) -> Remembered:
    """Remember a conversation as what it says it is: about a person, or about a task. Raises as the service does."""
    trajectory = Trajectory(
        messages=tuple(_read_message(message) for message in body.messages),
        score=body.score,
        task_id=body.task_id,
        metadata=body.metadata,
    )
    if body.kind == "personal":
        return conversations.remember_personal(
            principal, workspace_id, [trajectory], user_id=body.user_id, receipt=receipt
        )
    return conversations.remember_tasks(principal, workspace_id, [trajectory], receipt=receipt)


def _read_message(message: MessageIn) -> Message:
    content = message.content
    if not isinstance(content, str):
        content = "\n".join(block.text for block in content if block.type == "text" and block.text)
    return Message(role=message.role, content=content, name=message.name, created_ms=message.created_at)
