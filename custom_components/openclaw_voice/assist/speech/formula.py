"""Says formulas of LaTeX without what only a typesetter needs (pure)."""

import re
from typing import Final

from .cursor import Cursor

_COMMAND: Final = re.compile(r"\\[A-Za-z]+")
_ENVIRONMENT: Final = re.compile(r"\\(?:begin|end)\{[A-Za-z*]*\}")
_ENVIRONMENT_SO_FAR: Final = re.compile(r"\\(?:begin|end)(?:\{[A-Za-z*]*)?\Z")
_RAISED: Final = re.compile(r"\^(?:([0-9]+)|\{([0-9]+)\})")
_RAISED_SO_FAR: Final = re.compile(r"\^(?:[0-9]*|\{[0-9]*)\Z")
_RAISED_DIGITS: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_BLANKS: Final = frozenset(",;:! \\")
"""What a backslash makes a small space."""

_SIGNS: Final = {
    "times": "×", "cdot": "×", "ast": "×", "div": "÷", "pm": "±", "mp": "∓",
    "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "lt": "<", "gt": ">", "ne": "≠", "neq": "≠",
    "approx": "≈", "sim": "≈", "equiv": "=", "to": "→", "rightarrow": "→", "Rightarrow": "⇒",
    "sqrt": "√", "sum": "∑", "prod": "∏", "int": "∫", "infty": "∞", "circ": "°", "degree": "°",
    "ldots": "…", "dots": "…", "cdots": "…", "in": "∈", "angle": "∠", "partial": "∂",
}  # fmt: skip
"""Of the other commands, the name is said, as in "sin" and "alpha"."""

_FOR_THE_EYE: Final = (
    "text textbf textit textrm mathrm mathbf mathit mathbb mathcal operatorname left right big Big"
    " bigl bigr displaystyle limits quad qquad boxed"
)
_SILENT: Final = frozenset(_FOR_THE_EYE.split())
_FRACTIONS: Final = frozenset({"frac", "dfrac", "tfrac"})


class Formula:
    """Reads the signs that mean something else within a formula than in a sentence."""

    def __init__(self, cursor: Cursor) -> None:
        """Read at `cursor`."""
        self.is_open = False
        self._cursor = cursor
        self._groups: list[bool] = []
        """Those that are open: whether each is the upper part of a fraction."""

        self._is_fraction = False
        """The next group is the upper part of a fraction."""

    def begin(self) -> None:
        """A formula begins."""
        self.is_open = True
        self._groups.clear()
        self._is_fraction = False

    def end(self) -> None:
        """The formula has ended, or the paragraph it stands in."""
        self.is_open = False

    def read_command(self) -> bool | None:
        """Read a command or a small space; None when the backslash is something else."""
        cursor = self._cursor
        window = cursor.source.window()
        found = _COMMAND.match(window)
        if found is None:
            if window[1:2] not in _BLANKS:
                return None
            cursor.writer.space(" ")
            return cursor.drop(2)
        is_cut = found.end() == len(window) or _ENVIRONMENT_SO_FAR.match(window)
        if is_cut and not cursor.source.must_decide:
            return False
        if environment := _ENVIRONMENT.match(window):
            return cursor.leave_out(environment.end())
        name = found[0][1:]
        if name in _FRACTIONS:
            self._is_fraction = True
        elif name in _SILENT:
            cursor.writer.space(" ")
        else:
            cursor.writer.text(_SIGNS.get(name, name))
        return cursor.drop(found.end())

    def read_sign(self) -> bool:
        """Read a brace, a sign of height, or an underscore."""
        match self._cursor.sign:
            case "^":
                return self._read_raised()
            case "{":
                self._groups.append(self._is_fraction)
                self._is_fraction = False
            case "}" if self._groups and self._groups.pop():
                self._cursor.writer.text("/")
            case "_":
                self._cursor.writer.space(" ")
        return self._cursor.drop(1)

    def _read_raised(self) -> bool:
        cursor = self._cursor
        window = cursor.source.window()
        is_cut = _RAISED_SO_FAR.match(window) or len(window) < len("^{x")
        if is_cut and not cursor.source.must_decide:
            return False
        if found := _RAISED.match(window):
            cursor.writer.text((found[1] or found[2]).translate(_RAISED_DIGITS))
            return cursor.drop(found.end())
        # A sign that is raised, as that of degrees, is said as it is.
        return cursor.drop(1) if window.startswith(("^\\", "^{\\")) else cursor.say("^")
