"""What is said to the assistant itself, and what is for the agent."""

import pytest

from custom_components.openclaw_voice.assist import commands
from custom_components.openclaw_voice.assist.command_sentences import SENTENCES, SKIPPED
from custom_components.openclaw_voice.assist.commands import (
    Command,
    NewConversation,
    Stop,
    SwitchAgent,
    match,
)

AGENTS = {"Clawd 🦞": "main", "Ärger-Bot": "trouble", "Max": "max", "MAX!": "other", "🦊": "fox"}


def heard(text: str, language: str) -> Command | None:
    """Return the command in an utterance."""
    return match(text, language, AGENTS)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "stop"),
        ("en-GB", "Stop, please!"),
        ("en", "Stop, stop, stop!"),
        ("en", "Cancel that."),
        ("en", "be quiet"),
        ("en", "NEVER MIND"),
        ("en", "No, stop it!"),
        ("en", "That’s enough."),
        ("en", "stop the answer"),
        ("de", "Stopp!"),
        ("de", "Halt, halt!"),
        ("de", "Hör auf, hör auf!"),
        ("de-DE", "Hör bitte auf"),
        ("de", "hoer auf"),
        ("de", "Brich das ab"),
        ("de", "Vergiss es"),
        ("de_AT", "Sei still!"),
        ("de", "Nein, hör doch auf!"),
        ("de", "Jetzt reicht's!"),
        ("de", "Lass mal"),
        ("de", "Beende die Aufgabe"),
        ("fr", "Arrête !"),
        ("fr", "arrete, s'il te plaît"),
        ("fr", "Tais-toi"),
        ("fr", "Laisse tomber."),
        ("fr", "Bon, laisse tomber"),
        ("fr", "C’est bon, arrête !"),
        ("fr", "Annule ma demande"),
        ("fr", "arrêtez de parler"),
        ("fr", "Ça suffit maintenant"),
        ("es", "¡Para!"),
        ("es", "Cállate, por favor"),
        ("es", "cancelalo"),
        ("es", "No, déjalo"),
        ("es", "Deja de hablar ya"),
        ("es", "cancela la petición"),
        ("es", "Deténgase"),
        ("es", "ya es suficiente"),
        ("nl", "Stop maar"),
        ("nl", "Hou op!"),
        ("nl", "laat maar"),
        ("nl", "Laat maar, hoor"),
        ("nl", "Hou er maar mee op!"),
        ("nl", "annuleer de taak"),
        ("nl", "Dank je wel, dat is genoeg."),
        ("it", "Stop"),
        ("", "stop"),
    ],
)
def test_stop(language: str, text: str) -> None:
    """Case, accents, punctuation and politeness do not matter."""
    assert heard(text, language) == Stop()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "New conversation"),
        ("en", "Please start a new chat."),
        ("en", "Let's start over"),
        ("de", "Neues Gespräch"),
        ("de", "Starte bitte einen neuen Chat!"),
        ("de", "Lass uns von vorne anfangen"),
        ("de", "Fang bitte ein neues Gespräch an"),
        ("de", "Setze das Gespräch zurück"),
        ("fr", "Démarre une nouvelle conversation"),
        ("fr", "On recommence à zéro"),
        ("fr", "Je voudrais commencer une nouvelle discussion"),
        ("fr", "efface cette conversation"),
        ("fr", "Oublie tout ce qu'on a dit"),
        ("es", "Nueva conversación"),
        ("es", "Empecemos de nuevo"),
        ("es", "Empieza una conversación nueva"),
        ("es", "Quiero empezar un tema nuevo"),
        ("es", "Olvídate de esta conversación"),
        ("nl", "Start een nieuw gesprek"),
        ("nl", "Begin opnieuw"),
        ("nl", "Laten we helemaal overnieuw beginnen"),
    ],
)
def test_new_conversation(language: str, text: str) -> None:
    """Everybody can start anew."""
    assert heard(text, language) == NewConversation()


@pytest.mark.parametrize(
    ("language", "text", "agent"),
    [
        ("en", "Switch to Clawd", "main"),
        ("en", "talk to clawd 🦞 please", "main"),
        ("en", "I want to talk to arger bot", "trouble"),
        ("en", "use the assistant Max", "max"),
        ("de", "Wechsle zu Ärger Bot", "trouble"),
        ("de", "Ich möchte mit Clawd sprechen", "main"),
        ("de", "Schalte auf Max um", "max"),
        ("de", "Wechsle zum Assistenten Max", "max"),
        ("de", "Kann ich mal mit Clawd reden?", "main"),
        ("fr", "Passe à Clawd", "main"),
        ("fr", "Je voudrais parler avec Max", "max"),
        ("fr", "Utilise l'assistant Max", "max"),
        ("fr", "Est-ce que je peux parler à Clawd ?", "main"),
        ("fr", "Mets-moi en contact avec Max", "max"),
        ("es", "Quiero hablar con Max", "max"),
        ("es", "Pásame con Clawd", "main"),
        ("es", "¿Puedo hablar con Max?", "max"),
        ("es", "usa al agente Max", "max"),
        ("nl", "Schakel over naar Clawd", "main"),
        ("nl", "Ik wil met Max praten", "max"),
        ("nl", "Mag ik even met Max praten?", "max"),
        ("nl", "Stap over naar de agent Max", "max"),
    ],
)
def test_another_agent(language: str, text: str, agent: str) -> None:
    """Agents are known by their names, however they are spelled."""
    assert heard(text, language) == SwitchAgent(agent_id=agent)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "stop the music"),
        ("en", "Stop the timer!"),
        ("en", "cancel the timer"),
        ("en", "when does the bus stop"),
        ("en", "stop stop stop it now or else"),
        ("en", "talk to the neighbours"),
        ("en", "switch to 🦊"),
        ("en", "switch to channel five"),
        ("en", "what is a new conversation"),
        ("en", "please"),
        ("en", ""),
        ("en", "🛑"),
        ("en", "stop " * 100),
        ("de", "Stopp die Musik"),
        ("de", "Schalte das Licht aus"),
        ("de", "Wann hört es auf"),
        ("de", "Beende den Timer"),
        ("de", "Lass das Licht an"),
        ("de", "danke"),
        ("fr", "Arrête la musique"),
        ("fr", "d'accord"),
        ("fr", "C'est bon"),
        ("fr", "annule le minuteur"),
        ("fr", "passe à la suivante"),
        ("fr", "oublie la liste de courses"),
        ("fr", "Reprends depuis le début"),
        ("es", "Para la música"),
        ("es", "para qué sirve"),
        ("es", "para ahora mismo"),
        ("es", "para eso de las ocho"),
        ("es", "Cancela la alarma"),
        ("es", "no importa"),
        ("es", "¿Puedo hablar con mi madre?"),
        ("es", "bueno"),
        ("es", "otro tema"),
        ("nl", "Stop de muziek"),
        ("nl", "Annuleer de timer"),
        ("nl", "Laat maar zien"),
        ("nl", "graag"),
        ("it", "fermati"),
    ],
)
def test_everything_else_is_for_the_agent(language: str, text: str) -> None:
    """Only a whole utterance is a command."""
    assert heard(text, language) is None


def test_no_agents_are_needed_to_stop() -> None:
    """A home may have a single agent, and nothing to switch to."""
    assert match("stop", "en", {}) == Stop()
    assert match("switch to clawd", "en", {}) is None


def test_every_language_knows_every_command() -> None:
    """A language is complete or not there at all."""
    assert set(SENTENCES) == set(SKIPPED) == {"en", "de", "fr", "es", "nl"}
    for language, sentences in SENTENCES.items():
        assert set(sentences) == {"Stop", "NewConversation", "SwitchAgent"}, language


def test_sentences_are_parsed_once() -> None:
    """Every turn is looked at, so looking must be cheap."""
    heard("stop", "nl")
    before = commands._intents.cache_info().misses
    heard("stop", "nl-BE")
    heard("iets anders", "nl")
    assert commands._intents.cache_info().misses == before
