"""How commands are said, as templates of hassil: accents do not matter, apostrophes are blanks."""

from typing import Final

SKIPPED: Final[dict[str, list[str]]] = {
    "en": ["please", "just", "okay", "ok", "hey", "thanks", "thank you"],
    "de": ["bitte", "okay", "ok", "hey", "mal", "doch", "danke", "einfach", "ach"],
    "fr": ["s il te plait", "s il vous plait", "okay", "ok", "merci", "hé"],
    "es": ["por favor", "vale", "okay", "ok", "gracias", "oye"],
    "nl": [
        *("alsjeblieft", "alstublieft", "graag", "bedankt", "dankjewel", "dank je wel", "dank je"),
        *("okay", "oke", "ok", "hé", "even", "eens", "hoor"),
    ],
}
"""Words that change nothing, by language."""

SENTENCES: Final[dict[str, dict[str, list[str]]]] = {
    "en": {
        "Stop": [
            "[no] stop [it|that|this|now|talking|speaking|there]",
            "stop (working on|doing) (it|that|this)",
            "(stop|cancel|abort) the (task|request|answer)",
            "[no] (cancel|abort) [it|that|this]",
            "(be|keep) (quiet|silent)",
            "(shut up|hush|silence|quiet|enough|that s enough|that is enough)",
            "(never mind|nevermind|forget it|forget about it|forget that)",
        ],
        "NewConversation": [
            "[(start|begin|open)] [a] new (conversation|chat|session|topic)",
            "[let s] start (over|afresh|from scratch)",
            "(reset|clear) (the|this|our) (conversation|chat|session)",
            "forget (the|this|our) (conversation|chat)",
        ],
        "SwitchAgent": [
            "(switch|change) [over] to [the] [agent|assistant] {agent}",
            "(talk|speak) (to|with) {agent}",
            "(let me|i want to|i would like to|i d like to) (talk|speak) (to|with) {agent}",
            "(connect me|put me through) (to|with) {agent}",
            "use [the] [agent|assistant] {agent}",
        ],
    },
    "de": {
        "Stop": [
            "[nein|nee] (stop|stopp|stoppe|halt) [jetzt|das|es|damit]",
            "(stop|stopp|stoppe|beende) (das|die aufgabe|die antwort|die anfrage)",
            "[nein|nee] (hör|höre|hoer|hoere) [jetzt|sofort] auf [jetzt|damit|zu reden|zu sprechen]",
            "aufhören",
            "(brich|breche) [das|es|die aufgabe|die antwort|die anfrage] ab",
            "(das|die aufgabe|die antwort|die anfrage) (abbrechen|beenden)",
            "[nein|nee] (abbrechen|abbruch)",
            "(ruhe|schluss|still) [jetzt]",
            "(schluss damit|das reicht|es reicht|jetzt reicht es|jetzt reicht s)",
            "sei [jetzt] (still|leise|ruhig)",
            "(halt (den mund|die klappe)|klappe zu|schweig|schweige)",
            "[nein|nee] (vergiss es|vergiss das|[ist] schon gut|lass mal|lass es|lass das)",
            "[nein|nee] lass [es] [gut] sein",
        ],
        "NewConversation": [
            "[starte|beginne|öffne] ([ein] neues gespräch|[eine] neue unterhaltung"
            "|[einen] (neuer|neuen) chat|[eine] neue sitzung|[ein] neues thema)",
            "([ein] neues gespräch|[eine] neue unterhaltung|[einen] neuen chat|[eine] neue sitzung)"
            " (starten|beginnen|anfangen)",
            "(fang|fange|fangen wir) ([ein] neues gespräch|[eine] neue unterhaltung|[ein] neues thema) an",
            "(anderes thema|themenwechsel)",
            "lass uns [noch mal|nochmal|noch einmal] [ganz] (neu|von vorn|von vorne) (anfangen|beginnen)",
            "(fang|fange|fangen wir|wir fangen) [noch mal|nochmal|noch einmal] [ganz]"
            " (neu|von vorn|von vorne) an",
            "vergiss ((das|dieses|unser) gespräch|(die|diese|unsere) unterhaltung)",
            "(setz|setze) ((das|dieses|unser) gespräch|(die|diese|unsere) unterhaltung) zurück",
            "([das] gespräch|[die] unterhaltung) zurücksetzen",
        ],
        "SwitchAgent": [
            "(wechsle|wechsel|wechsele|wechseln|schalte|schalt) [um]"
            " (zu|zum|zur|auf|auf den) [agent|agenten|assistent|assistenten] {agent} [um]",
            "(zu|zum|auf) [agenten|assistenten] {agent} (wechseln|umschalten)",
            "ich (möchte|will|würde) [gern|gerne] mit {agent} (sprechen|reden)",
            "(kann|darf|könnte) ich mit {agent} (sprechen|reden)",
            "lass mich mit {agent} (sprechen|reden)",
            "mit {agent} (sprechen|reden)",
            "(verbinde|verbind) mich mit {agent}",
            "stell mich zu {agent} durch",
            "(nimm|benutze|benutz|verwende) [den] [agent|agenten|assistent|assistenten] {agent}",
        ],
    },
    "fr": {
        "Stop": [
            "[non] stop",
            "[non] (arrête|arrêtez) [ça|cela|toi|vous|tout de suite|maintenant|de parler]",
            "(annule|annulez|interromps) [ça|cela|la tâche|la demande|la réponse]",
            "(tais toi|taisez vous|silence|chut|ça suffit|assez)",
            "(laisse tomber|laissez tomber|oublie|oublie ça|oubliez ça)",
        ],
        "NewConversation": [
            "[démarre|commence|ouvre|lance|démarrer|commencer] [une] nouvelle (conversation|discussion|session)",
            "[démarre|commence|ouvre|lance] [un] nouveau (chat|sujet)",
            "(on recommence|recommençons|recommence|repartons|reprenons|on repart) (à|de) zéro",
            "oublie (la|cette|notre) (conversation|discussion)",
        ],
        "SwitchAgent": [
            "(passe|passez|change|bascule) (à|vers|sur|pour) [l] [agent|assistant] {agent}",
            "je (veux|voudrais|souhaite) parler (à|avec) {agent}",
            "(laisse moi parler|parler) (à|avec) {agent}",
            "(passe moi|utilise|utilisez) {agent}",
            "mets moi en relation avec {agent}",
        ],
    },
    "es": {
        "Stop": [
            "[no] (para|párate|detente|alto|stop|basta) [ya|ahora]",
            "(para|detén) (eso|esto)",
            "(cancela|cancélalo|cancelar|deténlo|aborta) [eso|esto|la tarea|la respuesta]",
            "(cállate|silencio|ya basta|es suficiente)",
            "deja de hablar",
            "(déjalo|olvídalo|olvida eso)",
        ],
        "NewConversation": [
            "[inicia|empieza|comienza|abre|iniciar|empezar] [una] nueva (conversación|charla|sesión)",
            "[inicia|empieza|comienza|abre] [un] nuevo (chat|tema)",
            "(empecemos|empieza|empezar|comencemos|empezamos) (de|desde) (nuevo|cero)",
            "olvida (la|esta|nuestra) conversación",
        ],
        "SwitchAgent": [
            "(cambia|cambiar|pasa) (a|al|por) [agente|asistente] {agent}",
            "(quiero|quisiera|me gustaría) hablar con {agent}",
            "(déjame hablar|hablar|ponme|comunícame|conéctame) con {agent}",
            "(usa|utiliza) [el] [agente|asistente] {agent}",
        ],
    },
    "nl": {
        "Stop": [
            "[nee] stop [er] [nu] [maar] [mee] [met praten]",
            "[nee] stop (ermee|daarmee|dat|nou)",
            "(stoppen|ophouden|zwijg|laat zitten)",
            "[nee] (hou|houd) [nu|er|daar|daarmee] [nu|maar] [mee] op [met praten]",
            "(hou|houd) je mond",
            "[nee] (annuleer|annuleren|afbreken|breek af) [dat|het]",
            "(stop|annuleer) (de taak|de opdracht|de vraag|het antwoord)",
            "breek (dat|het|de taak|de opdracht|het antwoord) af",
            "(wees stil|stil|stilte|zo is het genoeg|dat is genoeg|genoeg zo)",
            "[nee] (laat maar [zitten]|vergeet (het|dat) [maar])",
        ],
        "NewConversation": [
            "[start|begin|open] [een] (nieuw gesprek|nieuwe chat|nieuwe conversatie|nieuwe sessie|nieuw onderwerp)",
            "[een] (nieuw gesprek|nieuwe chat|nieuwe conversatie|nieuwe sessie) (starten|beginnen)",
            "ander onderwerp",
            "[laten we] [helemaal] (opnieuw|overnieuw|van voren af aan) beginnen",
            "(begin|we beginnen) [helemaal] (opnieuw|overnieuw|van voren af aan)",
            "(vergeet|reset) (dit|het|ons) gesprek",
        ],
        "SwitchAgent": [
            "(schakel|wissel|switch|ga|stap) [over] naar [de] [agent|assistent] {agent} [over]",
            "ik (wil|zou) (met {agent} (praten|spreken)|{agent} spreken)",
            "(kan|mag) ik (met {agent} (praten|spreken)|{agent} spreken)",
            "laat (me|mij) met {agent} (praten|spreken)",
            "(praten|praat) met {agent}",
            "verbind (me|mij) [door] met {agent}",
            "gebruik [de] [agent|assistent] {agent}",
        ],
    },
}
"""Templates, by language and command."""
