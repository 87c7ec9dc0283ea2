"""How commands are said, as templates of hassil: accents do not matter, apostrophes are blanks."""

from typing import Final

SKIPPED: Final[dict[str, list[str]]] = {
    "en": ["please", "just", "okay", "ok", "hey", "thanks", "thank you"],
    "de": ["bitte", "okay", "ok", "hey", "mal", "doch", "danke", "einfach", "ach"],
    "fr": ["s il te plaît", "s il vous plaît", "okay", "ok", "d accord", "bon", "merci", "hé"],
    "es": ["por favor", "vale", "bueno", "okay", "ok", "gracias", "oye"],
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
            "[non|stop|c est bon] (stop|stoppe|stoppez) [ça|cela|tout|maintenant|tout de suite]",
            "[non|stop|c est bon] (arrête|arrêtez|arrêter) [toi|vous] [ça|cela|tout|là|maintenant"
            "|immédiatement|tout de suite|de parler|de répondre|la réponse|la tâche]",
            "[non] (annule|annulez|annuler|interromps|interrompez|abandonne|abandonnez)"
            " [ça|cela|tout|(la|ma|cette) (tâche|demande|réponse)]",
            "(interromps toi|interrompez vous)",
            "[non|stop] (tais toi|taisez vous|silence|chut|ça suffit|assez|c est assez) [maintenant]",
            "[non] (laisse tomber|laissez tomber|oublie|oublie ça|oubliez ça|tant pis"
            "|n y pense plus)",
        ],
        "NewConversation": [
            "[je veux|je voudrais|j aimerais] [démarre|démarrez|démarrer|démarrons|commence|commencez"
            "|commencer|commençons|ouvre|ouvrez|ouvrir|ouvrons|lance|lancez|lancer|lançons]"
            " ([une] nouvelle (conversation|discussion|session)|[un] nouveau (chat|sujet))",
            "(on recommence|recommençons|recommence|on repart|repartons|repars|reprenons) (à|de) zéro",
            "(on recommence|recommençons|on repart|repartons) (depuis le|du) début",
            "(réinitialise|réinitialisez|efface|effacez|oublie|oubliez) (la|cette|notre)"
            " (conversation|discussion|session)",
            "(changeons de sujet|on change de sujet|autre sujet)",
            "(remets|remettez|remettons) (la|cette|notre) (conversation|discussion) à zéro",
            "(oublie|oubliez) tout ce (qu on a|que nous avons|que j ai) dit",
        ],
        "SwitchAgent": [
            "(passe|passez|passer|change|changez|changer|bascule|basculez|basculer)"
            " [d agent|d assistant] (à|vers|sur|pour) [l] [agent|assistant] {agent}",
            "(je veux|je voudrais|je souhaite|je souhaiterais|je préfère|j aimerais|je peux|puis je"
            "|est ce que je peux|laisse moi|laissez moi) parler (à|avec) [l] [agent|assistant] {agent}",
            "parler (à|avec) {agent}",
            "(passe moi|passez moi|utilise|utilisez|utiliser) [l] [agent|assistant] {agent}",
            "(mets|mettez) moi en (relation|contact) avec {agent}",
            "(connecte|connectez) moi (à|avec) {agent}",
        ],
    },
    "es": {
        "Stop": [
            "[no|stop] (para|pare|párate|párese|parar|detente|detenete|deténgase|alto|stop|basta)"
            " [ya|todo]",
            "[no] (para|pare|detén|detenga) (eso|esto)",
            "(para|pare) la respuesta",
            "[no] (deja|deje|para|pare) [ya] de (hablar|responder) [ya]",
            "[no|nada] (cancela|cancele|cancelar|cancélalo|cancélelo|aborta|abortar"
            "|interrumpe|interrumpir|detén|deténlo|detener) [ya] [todo|eso|esto|(la|mi)"
            " (tarea|respuesta|petición|solicitud)]",
            "[no] (cállate|cállese|calla|silencio|guarda silencio|haz silencio|no sigas) [ya]",
            "(ya basta|ya es suficiente|es suficiente|suficiente)",
            "[no|nada|no importa] (déjalo|déjelo|deja eso|olvídalo|olvídelo|olvida eso"
            "|olvídate|olvídate de eso) [ya|estar]",
        ],
        "NewConversation": [
            "[quiero|quisiera|me gustaría] [inicia|inicie|iniciar|iniciemos|empieza|empiece|empezar"
            "|empecemos|comienza|comience|comenzar|comencemos|abre|abra|abrir|abramos]"
            " ([una] (nueva (conversación|charla|sesión)|(conversación|charla|sesión) nueva)"
            "|[un] (nuevo (chat|tema)|(chat|tema) nuevo))",
            "(empecemos|empieza|empezar|empezamos|vamos a empezar|comencemos|comienza|comenzar)"
            " (de|desde) (nuevo|cero)",
            "(empecemos|comencemos|vamos a empezar) (desde el principio|otra vez)",
            "(volvamos a empezar|cambiemos de tema|cambio de tema)",
            "(olvida|olvide|olvídate de|borra|borre|reinicia|reinicie) (la|esta|nuestra)"
            " (conversación|charla|sesión)",
            "(olvida|olvide) todo lo que (hemos hablado|hemos dicho|he dicho|te he dicho|dije|dijimos)",
        ],
        "SwitchAgent": [
            "(cambia|cambie|cambiar|cámbiame|pasa|pase|pasar|pásame) [de agente|de asistente]"
            " (a|al|por|con|con el) [agente|asistente] {agent}",
            "(quiero|quisiera|querría|me gustaría|prefiero|necesito|puedo|podría|déjame|déjeme)"
            " hablar con [el] [agente|asistente] {agent}",
            "hablar con {agent}",
            "(ponme|póngame|comunícame|comuníqueme|conéctame|conécteme) con {agent}",
            "quiero que me (pases|pongas|comuniques) con {agent}",
            "(usa|use|usar|utiliza|utilice|utilizar) [a|el|al] [agente|asistente] {agent}",
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
