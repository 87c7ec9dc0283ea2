"""How people say yes and no, as templates of hassil: accents do not matter, apostrophes are blanks.

Only what leaves no doubt: speech-to-text often hears "okay" or "yeah" where nobody has spoken.
"""

from typing import Final

SKIPPED: Final[dict[str, list[str]]] = {
    "en": ["please", "thanks", "thank you"],
    "de": ["bitte", "danke"],
    "fr": ["s il te plaît", "s il vous plaît", "merci"],
    "es": ["por favor", "gracias"],
    "nl": ["alsjeblieft", "alstublieft", "bedankt", "dank je", "dankjewel"],
}
"""Words that change nothing, by language."""

SENTENCES: Final[dict[str, dict[str, list[str]]]] = {
    "en": {
        "Yes": [
            "yes [sure|of course|certainly|definitely|absolutely|indeed]",
            "[yes] [i|we] (allow|permit|approve) (it|that|this) [once|this once|this time]",
            "[yes] (i|we) do",
            "[yes] you (may|can) [do (it|that|this)] [once|this once|this time]",
            "[yes] (go ahead|do (it|that|this)) [once|this once|this time]",
            "[yes] (it|that) is (allowed|okay|fine)",
        ],
        "No": [
            "no [not now|never|sorry]",
            "(nope|no way|never|certainly not|of course not|absolutely not|better not)",
            "[no] (don t|do not|never) [(do|allow|permit|approve) [it|that|this]]",
            "[no] (i|we) (don t|do not) [(allow|permit|approve|want) [it|that|this]]",
            "[no] [i|we] (deny|refuse|reject|decline) [it|that|this]",
            "[no] you (may not|must not|can not|cannot|can t) [do (it|that|this)]",
            "[no] (it|that) (is not|isn t) (allowed|okay)",
        ],
    },
    "de": {
        "Yes": [
            "ja [klar|sicher|natürlich|gern|gerne|doch|genau|unbedingt|auf jeden fall]",
            "[ja] [ich|wir] (erlaube|erlauben|genehmige|genehmigen) (das|es|dir das|es dir)"
            " [einmal|diesmal|dieses mal|dieses eine mal]",
            "[ja] (das|es) (erlaube ich|darfst du|ist erlaubt|ist okay|ist in ordnung)"
            " [einmal|diesmal|dieses mal|dieses eine mal]",
            "[ja] (du darfst|darfst du) [das] [einmal|diesmal|dieses mal|dieses eine mal]",
            "[ja] (mach|mache|tu|tue) (das|es) [einmal|diesmal|dieses mal|dieses eine mal]",
            "[ja] [einmal] erlauben",
        ],
        "No": [
            "(nein|nee|nö) [lieber nicht|bloß nicht|auf keinen fall|niemals|jetzt nicht|nicht]",
            "(lieber nicht|bloß nicht|auf keinen fall|auf gar keinen fall|niemals|nicht)",
            "[nein|nee] (das|es) (erlaube ich|darfst du|ist|geht) nicht [erlaubt]",
            "[nein|nee] [ich|wir] (erlaube|erlauben) (das|es|dir das) nicht",
            "[nein|nee] du darfst [das] nicht",
            "[nein|nee] (mach|mache|tu|tue) (das|es) nicht",
            "[nein|nee] [ich] (lehne|lehn) (das|es) ab",
            "[nein|nee] (das ablehnen|ablehnen|verbieten|nicht erlauben)",
        ],
    },
    "fr": {
        "Yes": [
            "oui [bien sûr|d accord|certainement|absolument|tout à fait]",
            "[oui] je (l autorise|le permets|suis d accord) [une fois|cette fois|pour cette fois]",
            "[oui] (j autorise|je permets) [ça|cela] [une fois|cette fois|pour cette fois]",
            "[oui] (tu peux|vous pouvez) [le faire|y aller] [une fois|cette fois|pour cette fois]",
            "[oui] (vas y|allez y|fais le|faites le)",
            "[oui] (c est autorisé|c est d accord)",
        ],
        "No": [
            "non [surtout pas|jamais|pas question|pas maintenant]",
            "(surtout pas|jamais|pas question|hors de question|certainement pas)",
            "[non] je (refuse|ne l autorise pas|ne le permets pas|ne suis pas d accord|ne veux pas)",
            "[non] (refuse|refusez|refuser) [ça|cela]",
            "[non] [ne] le (fais|faites) pas",
            "[non] ne (fais|faites) pas (ça|cela)",
            "[non] (tu ne peux pas|vous ne pouvez pas|c est interdit|c est refusé)",
        ],
    },
    "es": {
        "Yes": [
            "sí [claro|por supuesto|de acuerdo|desde luego|seguro]",
            "[sí] [yo] lo (permito|autorizo|apruebo) [una vez|esta vez|por esta vez]",
            "[sí] (puedes|puede) [hacerlo] [una vez|esta vez|por esta vez]",
            "[sí] (adelante|hazlo|hágalo|permítelo|permítalo)",
            "[sí] (está permitido|está bien)",
        ],
        "No": [
            "no [nunca|jamás|de ninguna manera|ahora no]",
            "(nunca|jamás|de ninguna manera|ni hablar|claro que no|por supuesto que no|mejor no)",
            "[no] [yo] no lo (permito|autorizo|apruebo|hagas|haga)",
            "no (puedes|puede) [hacerlo]",
            "[no] (recházalo|rechácelo|deniégalo|deniéguelo|lo rechazo|lo deniego)",
            "no (está permitido|está bien)",
        ],
    },
    "nl": {
        "Yes": [
            "ja [hoor|graag|zeker|natuurlijk|prima|absoluut]",
            "[ja] (dat|het) mag [een keer|deze keer|deze ene keer]",
            "[ja] [dat|het] (is toegestaan|is goed)",
            "[ja] ik sta (dat|het) toe [een keer|deze keer|deze ene keer]",
            "[ja] [dat|het] sta ik toe [een keer|deze keer|deze ene keer]",
            "[ja] je mag (dat|het) [doen] [een keer|deze keer|deze ene keer]",
            "[ja] (ga je gang|doe maar|doe (dat|het) [maar])",
        ],
        "No": [
            "nee [nooit|zeker niet|liever niet|niet doen|absoluut niet|nu niet]",
            "(nooit|zeker niet|liever niet|niet doen|absoluut niet|geen sprake van|in geen geval)",
            "[nee] (dat|het) mag niet",
            "[nee] [dat|het] is niet (toegestaan|goed)",
            "[nee] ik sta (dat|het) niet toe",
            "[nee] [dat|het] sta ik niet toe",
            "[nee] je mag (dat|het) niet [doen]",
            "[nee] doe (dat|het|maar) niet",
            "[nee] [ik] weiger [dat|het]",
        ],
    },
}
"""Templates, by language and answer."""
