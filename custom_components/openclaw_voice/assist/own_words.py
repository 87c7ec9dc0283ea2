"""What a turn says itself, besides the agent, in the language of whoever asks."""

from collections.abc import Awaitable, Callable, Sequence

from ..gateway.errors import GatewayError
from ..gateway.questions import AgentQuestion
from .phrases import Phrases
from .spoken_answer import can_be_said


class OwnWords:
    """The sentences of one turn."""

    def __init__(
        self,
        phrases: Phrases,
        *,
        explain: Callable[[GatewayError], Awaitable[str]],
        holding_phrases: Sequence[str] = (),
        turn: int = 0,
    ) -> None:
        """Say `phrases`.

        Args:
            phrases: In the language of the user.
            explain: Returns the sentence for an error, in this language.
            holding_phrases: The user's own; they are said in turn.
            turn: Counts the turns of an agent.
        """
        self.phrases = phrases
        self._explain = explain
        self._holding_phrases = holding_phrases
        self._turn = turn

    @property
    def no_answer(self) -> str:
        """Shown when the agent says nothing on purpose."""
        return self.phrases.no_answer

    @property
    def file(self) -> str:
        """Said when an answer comes with pictures or other files."""
        return self.phrases.file

    @property
    def approval(self) -> str:
        """Said when something waits until people allow it."""
        return self.phrases.approval_awaited

    def asking(self, question: AgentQuestion) -> str:
        """Return what is said when the agent asks people something, as it was written.

        The question itself comes last, so that it is clear what is to be answered.
        """
        parts: list[str] = []
        for part in question.parts:
            if part.options:
                parts.append(self.phrases.options_of(part.options))
            parts.append(part.text)
        if not can_be_said(question):
            parts.append(self.phrases.question_elsewhere)
        return " ".join(parts)

    def holding(self, tool: str | None) -> str:
        """Return what is said when the answer comes later; `tool` is what the agent uses now."""
        if self._holding_phrases:
            return self._holding_phrases[self._turn % len(self._holding_phrases)]
        return self.phrases.holding_with(tool)

    async def explain(self, error: GatewayError) -> str:
        """Return the sentence for an error."""
        return await self._explain(error)
