"""What is read aloud of what models write."""

from collections.abc import Iterator

import pytest

from custom_components.openclaw_voice.assist.speech import SpeechFilter, SpeechWords, spoken
from custom_components.openclaw_voice.assist.speech.lines import MAX_HELD

WORDS = SpeechWords(
    table="The table is in the chat.", code="The code is in the chat.", link="a link"
)
NOTHING = SpeechWords()


def by_character(text: str, words: SpeechWords = WORDS) -> Iterator[str]:
    """Yield what each character of a text, and its end, lets be said."""
    speech = SpeechFilter(words)
    yield from map(speech.feed, text)
    yield speech.finish()
    assert speech.held == 0


def check(text: str, expected: str) -> None:
    """Check the text as a whole and character by character."""
    assert spoken(text, WORDS) == expected
    assert "".join(by_character(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Hello, how are you?",
        "2 * 3 = 6, 5*x and 2*3*4",
        "x**2 + 2**3, f(x)*g(x)",
        "snake_case and my__var",
        "C#, #1, #hashtag, F# minor",
        "-5 °C to +3 °C, ±2 %",
        "I <3 you; a < b > c; a<b and c>d",
        "20_000 or 1,000.50 or 10\u00a0000\u202f€",
        "It is 12:30, 3.14, 1/2, 50%, 5€, $5 and US$10.",
        "first_last@example.org",
        "Well... let's see… ok?!",
        "AT&T, R&D; & so on &nosuch; &;",
        "~5 min, a~b, ^_^, ¯",
        'Press the "*" key or (*).',
        "|x| is never negative",
        "25. Dezember",
        "1. Mai ist frei.",
        "1. FC Köln",
        "1. Platz: Clawd",
        "2024. What a year.",
        "100) is no item",
        ">= 5",
        "s*** happens, f**k",
        "C:\\Users\\me",
        "$HOME and $PATH",
        "array[0] [sic] [laughs] [2024] ] x",
        "Bonjour ! Ça va ? « Oui »",
        "שלום עולם, مرحبا بالعالم؟",
        "今日は晴れです。気温は24度です。",
        "a\u0301\u0323 \u0301",
        "می\u200cخواهم ක්\u200dෂ",  # noqa: RUF001 - other scripts
        "© 2024 ™ → ↔ ℹ C♯",  # noqa: RUF001 - other scripts
        "f() and (x)",
        "『本』【重要】",
        "= 5",
        ":-) :x",
        "Media: press and radio",
        "total: 5",
        "Tool sheds are cheap.",
        "half-open <unclosed and",
        "a `",
    ],
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    """Numbers, units, names and formulas look like markup sometimes."""
    check(text, text.replace("`", "").strip())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("This is **bold**, *italic*, ***both***.", "This is bold, italic, both."),
        ("__Bold__ and _italic_ and ~~gone~~!", "Bold and italic and gone!"),
        ("**Note:** it's *very **deep** indeed*.", "Note: it's very deep indeed."),
        ('("**quoted**")', '("quoted")'),
        ("这是**重点**内容", "这是重点内容"),
        ("pro**nun**ciation", "pronunciation"),
        ("**two\nlines** are bold", "two\nlines are bold"),
        ("**Never closed. And on.", "Never closed. And on."),
        ("50%**now**", "50%now"),
        ("see ** there", "see ** there"),
        (
            f"Run `{'x' * 70}`, or `{'y' * 70}`. Done.\n.env",
            f"Run\n\n{WORDS.code}\n\nor\n\n{WORDS.code}\n\nDone.\n.env",
        ),
        ("**.env** file", ".env file"),
        ("a ~~ b", "a ~~ b"),
        ("a **b**c**", "a bc"),
        ("_a_b_ c", "a_b c"),
        ("x_ y", "x_ y"),
        ("a ****b", "a b"),
        ("l’*Humanité*, d’**Angoulême**, l’_Express_", "l’Humanité, d’Angoulême, l’Express"),
        (
            "\u2039*Salut*\u203a \u203a**Hallo**\u2039 ”*hej*” »_ja_«",
            "\u2039Salut\u203a \u203aHallo\u2039 ”hej” »ja«",
        ),
        ("«\u202f**Oui**\u202f», **«\u00a0non\u00a0»**", "«\u202fOui\u202f», «\u00a0non\u00a0»"),
        ("€**5**, ≈**3**, f(x)**2", "€5, ≈3, f(x)**2"),
    ],
)
def test_emphasis_is_not_heard(text: str, expected: str) -> None:
    """Nobody wants to hear an asterisk."""
    check(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Weather\n\nSunny.", "Weather.\n\nSunny."),
        ("## Is it done? ##\nYes", "Is it done?\nYes"),
        ("## Learn C# #", "Learn C#."),
        ("## Title # more", "Title # more."),
        ("## Take #️⃣ one", "Take one."),
        ("######", ""),
        ("**Zutaten**\n- Mehl\n- Salz", "Zutaten.\nMehl.\nSalz."),
        ("**Fertig!**\nGut", "Fertig!\nGut"),
        ("**Last line**", "Last line."),
        ("Title\n===\nText", "Title\n\nText"),
        ("**Today** 🌤️\n\n- Rain\n\n👋 **Bye**  \nNow", "Today.\n\nRain.\n\nBye.\nNow"),
        ("**Today**, 5 °C\n**Then** more", "Today, 5 °C\nThen more"),
        ("Text\n\n---\n\n* * *\n\n\n\nMore", "Text\n\nMore"),
        ("-" * 250 + "\nText", "Text"),
        ("- Milk\n- Eggs, two\n- Done ✅\n- Why?\n", "Milk.\nEggs, two.\nDone.\nWhy?"),
        ("* a\n+ b\n• c\n  - d (e)", "a.\nb.\nc.\nd (e)."),
        ("- (", "(."),
        ("- 牛奶\n- 鸡蛋", "牛奶。\n鸡蛋。"),
        ("1. Open it\n2. Close it\n\n3. Done:\n", "Open it.\nClose it.\n\nDone:"),
        ("1) a\n1) b\n7. c", "a.\nb.\n7. c"),
        ("1. Marinate it", "1. Marinate it"),
        ("1. ab", "ab."),
        ("1. Ma", "Ma."),
        ("1. Platte", "Platte."),
        ("- [ ] Water\n- [x] Sun\n- [X]no", "Water.\nSun.\n[X]no."),
        ("- - nested\n- 1. both", "nested.\nboth."),
        ("-\n- \n- x", "x."),
        ("> Be brave,\n> **always**.\n>> Deep", "Be brave,\nalways.\nDeep"),
        ("> - item", "item."),
        (">", ""),
    ],
)
def test_lines_are_said_without_their_marks(text: str, expected: str) -> None:
    """Speech pauses after headings and items, as the eye does."""
    check(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Run `ha core check` now.", "Run ha core check now."),
        ("``a ` b`` and `*x*` and ` y `", "a ` b and *x* and y"),
        ("`https://x.y/z`", "a link"),
        ("`" + "x" * 61 + "`", WORDS.code),
        ("Not `closed **here**\nNext", "Not closed here\nNext"),
        ("`" + "x " * 80, ("x " * 80).strip()),
        ("````", WORDS.code),
        ("Do:\n```python\nprint('*')\n\n# no heading\n```\nDone.", f"Do:\n\n{WORDS.code}\n\nDone."),
        ("~~~\n```\n~~\n~~~~\nOut", f"{WORDS.code}\n\nOut"),
        ("```\ncut off", WORDS.code),
        ("```\ncut off\n``", WORDS.code),
        ("- Run:\n  ```sh\n  ls\n  ```\n- Done", f"Run:\n\n{WORDS.code}\n\nDone."),
        ("```inline``` code", "inline code"),
        ("```" + "x" * 200 + "\n```\nOut", f"{WORDS.code}\n\nOut"),
        ("```\n" + "`" * 150 + "\n```\nOut", f"{WORDS.code}\n\nOut"),
        ("```markdown\n# Hi\n- a\n```\nOut", "Hi.\na.\n\nOut"),
        ("<pre>x\ny</pre>Out", f"{WORDS.code}\n\nOut"),
    ],
)
def test_code_is_not_read_aloud(text: str, expected: str) -> None:
    """A word of code is said, a block of it is in the chat."""
    check(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("| a | b |\n|---|:-:|\n| 1 | 2 |\n", WORDS.table),
        ("Look:\n\n| a |\n| - |\n| 1 |\nNext", f"Look:\n\n{WORDS.table}\n\nNext"),
        ("a | b\n---|---\nNext", f"a, b\n\n{WORDS.table}\n\nNext"),
        ("a | b\n--- | ---\n1 | 2\n3 |\nNext", f"a, b\n\n{WORDS.table}\n\nNext"),
        ("a | b\n---|---\n1 | 2", f"a, b\n\n{WORDS.table}"),
        ("[A](x) | [B](y), | c ( | d) 你 | 好", "A, B, c (d) 你、 好"),
        ("a | b\n---|---\n" + "x" * 120 + "|", f"a, b\n\n{WORDS.table}\n\n{'x' * 120}|"),
        ("> | a | b |\n> |---|---|\n> | 1 | 2 |\n> Next", f"{WORDS.table}\n\nNext"),
        ("| " + "long | " * 30 + "\n|---|\n| 1 |\nNext", f"{WORDS.table}\n\nNext"),
        ("| a | b |", "a, b"),
        ("|" + "x" * 200, "|" + "x" * 200),
        ("<table><tr><td>1</td></tr></table> Next", f"{WORDS.table}\n\nNext"),
    ],
)
def test_a_table_becomes_a_sentence(text: str, expected: str) -> None:
    """Cells make no sense to the ear."""
    check(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('See [the docs](https://x.y/z?q=(1) "Docs").', "See the docs."),
        ("[**bold** 👍 text](<a b>) end", "bold text end"),
        ("[ref][1] and [other][]", "ref and other"),
        ("[broken][" + "x" * 150, "broken[" + "x" * 150),
        ("[cut](http://x", "cut(a link"),
        ("[sic](as he said)", "sic(as he said)"),
        ("[sic](yes", "sic(yes"),
        ("![a cat](cat.jpg) ![](dog.jpg) end", "a cat end"),
        ("[![Build](a.svg)](https://ci) ok", "Build ok"),
        ("wow! ![no image", "wow! ![no image"),
        ("[" * 20, "[" * 20),
        ("[a \\] b](x)", "a b"),
        ("[x](data:" + "a(b)" * 90 + ") end", "x end"),
        ("[x](data:" + "a" * 200 + " end", "x end"),
        ("x[i][j]", "x[i][j]"),
        ("[" + "long " * 40 + "](x)", "[" + ("long " * 40).strip() + " ](x)"),
        ("Go to **https://a.b/c_d?e=f**.", "Go to a link."),
        ("(https://a.b/(c)) www.a.b, HTTP://x!", "(a link) a link, a link!"),
        ("看https://x.y/你好。", "看a link你好。"),
        ("<https://x.y> and <me@x.y>", "a link and me@x.y"),
        (
            "https:// is no link, www. neither, xhttp://y",
            "https:// is no link, www. neither, xhttp://y",
        ),
        ("https://x.y/a..b?c=d...", "a link..."),
        ("https://x.y" + "!" * 150, "a link" + "!" * 150),
        ("[https://x.y](https://x.y)", "a link"),
        ("[1]: https://x.y\n[2]: <z>\n[Note]: be careful", "[Note]: be careful"),
    ],
)
def test_links_are_said_by_their_text(text: str, expected: str) -> None:
    """Nobody wants to hear an address."""
    check(text, expected)


def test_an_address_can_be_left_out() -> None:
    """Parentheses around it go with it."""
    assert spoken("See (https://x.y) or https://x.y now.", NOTHING) == "See or now."
    assert spoken("`https://x.y` is it", NOTHING) == "is it"
    assert spoken("A table:\n\n| a |\n|---|\n\nEnd", NOTHING) == "A table:\n\nEnd"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Water boils at 100 °C [1], or less [2, 3] [4-6].", "Water boils at 100 °C, or less."),
        ("True【3†source】. And【5:0†a.pdf】!", "True. And!"),
        ("Known[^1] and [^note].\n\n[^1]: A book.", "Known and.\n\nA book."),
        ("Known[^1].\n\n[^1]: https://a.b/c\n[^2]: <https://d.e>", "Known."),
        ("See [1](https://x.y) [[2]](https://z) ok", "See ok"),
        ("So \ue200cite\ue202turn0search1\ue201 it is \ue203\ue200.", "So it is."),
        ("Yes :contentReference[oaicite:0]{index=0}.", "Yes."),
        (":contentReference is a word", ":contentReference is a word"),
        ("Ok [cite: 1, 2] fine", "Ok fine"),
        ("【" + "x" * 150, "【" + "x" * 150),
        ("[[reply_to_current]] # Hi", "Hi."),
        ("[[audio_as_voice]]Hello", "Hello"),
    ],
)
def test_sources_are_left_out(text: str, expected: str) -> None:
    """They are for the eye."""
    check(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi 👋🏽! 🎉🎉 Yes 🇩🇪🇫🇷.", "Hi! Yes."),
        ("A 👨‍👩‍👧‍👦 family, 🏳️‍🌈, 🏴󠁧󠁢󠁥󠁮󠁧󠁿, 🙂‍↔️.", "A family,,,."),
        ("Press 1️⃣ or *️⃣ or #️⃣ 12⃣", "Press or or 1"),
        ("❤️ ☀️ ⚠️ ✔ ⭐ ⌚ ↔️ ©️ x", "x"),
        ("Hello👋world 你👋好", "Hello world 你好"),
        ("- 🥛 Milk\n- 🥚", "Milk."),
        ("5️", "5"),
        ("𝔘𝔫𝔦 🜀 \U0001f9ff", "𝔘𝔫𝔦"),  # noqa: RUF001 - other scripts
        ("( 👋 hello) (👋)", "(hello)"),
        ("((👋)", "("),
        ("a (", "a ("),
        ("a (\nb", "a (\nb"),
    ],
)
def test_pictures_are_left_out(text: str, expected: str) -> None:
    """On every plane, and whatever they are joined from."""
    check(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<b>Hi</b> <I class='x'>you</I><br/>H<sub>2</sub>O<br>End", "Hi you\nH2O\nEnd"),
        ("<p>One</p><ul><li>Two</li><li>Three</li></ul>", "One\n\nTwo.\n\nThree."),
        ("a <!-- hidden\n<b> --> b <!- c", "a b <!- c"),
        ("Use <name> here, <x:y z='1'/>now</name>", "Use name here, now"),
        ("<details open>\n# More\n</details>", "More."),
        ("<img src='x.png' alt=\"y\"> pic", "pic"),
        ("<img src='" + "x" * 150 + "'> pic", "pic"),
        ("<" + "x" * 150, "<" + "x" * 150),
        (
            "&lt;b&gt; &amp; &quot;x&quot; &#39; &#x20AC; &hellip;&nbsp;&nbsp;y",
            '<b> & "x" \' € … y',
        ),
        ("&#128512;x &#0; &#1;y", "x \ufffd y"),
        ("<|im_end|>done <|x", "done <|x"),
        ("a <", "a <"),
    ],
)
def test_html_is_left_out(text: str, expected: str) -> None:
    """Tags are dropped, and what they mark is said."""
    check(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>Hm.\n\n- maybe</think>\n\n# Yes", "Yes."),
        ("Sure. <Thinking>x</THINKING> Done", "Sure. Done"),
        ("<think>never closed", ""),
        ("</think>Hello", "Hello"),
        ("<final>Hello **you**</final>", "Hello you"),
        ("NO_REPLY", ""),
        ("HEARTBEAT_OK", ""),
        ("**HEARTBEAT_OK**\n`NO_REPLY`.\nHello", "Hello"),
        ("The word is NO_REPLY, you know", "The word is NO_REPLY, you know"),
        ("NO_REPLY is a word", "NO_REPLY is a word"),
        ("Here:\nMEDIA:/tmp/a.png\nMEDIA: b.jpg\nEnd", "Here:\n\nEnd"),
        ("🔧 web_search: kittens\n🛠️ `exec`: ls -la\n⚙️ Fix the sink: now", "Fix the sink: now"),
        ("[tool: exec] ls\nTool call: x\n[Tool_result] y\nEnd", "End"),
        ("[tool", "[tool"),
        ("<tool_call>{}</tool_call>Hi", "Hi"),
    ],
)
def test_words_for_programs_are_left_out(text: str, expected: str) -> None:
    """Thoughts, tool calls and the gateway's own words are not for people."""
    check(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\*not bold\* 1\. \# \\ \q", r"*not bold* 1. # \ \q"),
        ("hard\\\nbreak  \nline", "hard\nbreak\nline"),
        ("\\", ""),
        (r"So \(a+b\) and \[c\].", "So a+b and c."),
        ("Now $x^2$, $y$ and $$z = 1$$.", "Now x², y and z = 1."),
        ("$a b c d$ and $x $ y $5$", "$a b c d$ and $x $ y $5$"),
        ("$x$5 $" + "y" * 150, "$x$5 $" + "y" * 150),
        ("$", "$"),
        ("so a$", "so a$"),
        (r"$A = \pi r^2$ and \(10^{12} \times 2\)", "A = pi r² and 10¹² × 2"),
        (r"\[x = \frac{-b \pm \sqrt{b^2-4ac}}{2a}\]", "x = -b ± √b²-4ac/2a"),
        (r"$v_{max} = 5\,\text{m/s}$, \(20^\circ\)", "v max = 5 m/s, 20°"),
        (r"$$\begin{aligned} a &= b \\ c^n &= \{d\} \end{aligned}$$ e_f", "a &= b c^n &= {d} e_f"),
        (r"\(x^\(y", "xy"),
        ("$$a_b\n\nc_d {e} f^2 \\pi", "a b\n\nc_d {e} f^2 \\pi"),
        ("\\(}{\\" + "z" * 150, "z" * 150),
        (r"C:\Users\pi {a} ^_^", r"C:\Users\pi {a} ^_^"),
    ],
)
def test_escapes_and_formulas(text: str, expected: str) -> None:
    """What encloses a formula is not heard; money is."""
    check(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n\t\r\n ", ""),
        ("a  b \t c", "a b c"),
        ("a\n\n\n\nb\n \n \nc\n", "a\n\nb\n\nc"),
        ("a\r\nb\rc\r\r\nd\u2028e", "a\nb\nc\n\nd\ne"),
        ("\ufeffa\x00b\ud800c\u200bd", "abcd"),
        ("a\u00a0\u00a0b\u3000c", "a b c"),
    ],
)
def test_blank_space_is_tidy(text: str, expected: str) -> None:
    """At most one blank, at most one empty line, none around."""
    check(text, expected)


def test_an_answer_of_a_real_model() -> None:
    """All of it together."""
    check(
        "Klar! Hier ist dein **Tagesplan** für heute 📅:\n\n"
        "### Vormittag\n"
        "1. **08:30** – Zahnarzt (Dr. Müller, [Route](https://maps.example/x?y=1))\n"
        "2. **10:00** – *Team-Meeting*\n\n"
        "### Nachmittag\n"
        "- [ ] Einkaufen: Milch, 2 × Brot & Käse\n"
        "- [x] Paket abholen ✅\n\n"
        "| Zeit | Temperatur |\n|:-----|-----------:|\n| 12 Uhr | 24 °C |\n\n"
        "Die Luftfeuchte liegt bei ~45 % [1]. Soll ich dich um `11:45` erinnern? 😊",
        "Klar! Hier ist dein Tagesplan für heute:\n\n"
        "Vormittag.\n"
        "08:30 – Zahnarzt (Dr. Müller, Route).\n"
        "10:00 – Team-Meeting.\n\n"
        "Nachmittag.\n"
        "Einkaufen: Milch, 2 × Brot & Käse.\n"
        "Paket abholen.\n\n"
        f"{WORDS.table}\n\n"
        "Die Luftfeuchte liegt bei ~45 %. Soll ich dich um 11:45 erinnern?",
    )


def test_plain_words_are_passed_on_as_they_come() -> None:
    """The voice begins with the first words, not with the first sentence."""
    speech = SpeechFilter(WORDS)
    assert [
        speech.feed(part) for part in ("It ", "is su", "nny, ", "24", " °C", " to", "day.")
    ] == [
        "It",
        " is su",
        "nny,",
        " 2",
        "4 °C",
        " to",
        "day.",
    ]
    assert speech.held == 0
    assert speech.finish() == ""


@pytest.mark.parametrize("opening", ["[", "`", "<b ", "$", "&", "![", "【", "**", "_", "\ue200"])
def test_what_is_never_closed_is_not_waited_for(opening: str) -> None:
    """Not longer than a clause, and never beyond the line."""
    speech = SpeechFilter(WORDS)
    speech.feed(f"So {opening}")
    said = "".join(speech.feed("word ") for _ in range(MAX_HELD // 5))
    assert said.startswith(("[", "word", " ", "<", "$", "&", "!", "【", "`"))
    assert speech.held == 0

    speech = SpeechFilter(WORDS)
    speech.feed(f"So {opening}words")
    speech.feed("\nX")
    assert speech.held == 0
