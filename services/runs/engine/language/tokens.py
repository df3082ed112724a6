"""Text into tokens: words, quoted texts and punctuation, in one pass over the text.

Quotes are ' " ` and their typographic forms. An apostrophe inside or at the end of a word is none.
`${name}` is an atom: nothing inside it is a quote or a separator. A text whose quotes do not
match, or that has more than `MOST_TOKENS` tokens, gives None: it is not read at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MOST_TOKENS = 250

# ruff: noqa: RUF001 - typographic quotes are what this module is about
QUOTES = {'"': '"”', "'": "'", "`": "`", "“": "”", "‘": "’", "„": "“”", "«": "»"}
APOSTROPHES = "'’"
MARKS = frozenset(",;:.!?()")
NEWLINE = "\n"

_CONTRACTIONS = {
    "isn't": "is not",
    "aren't": "are not",
    "wasn't": "was not",
    "weren't": "were not",
    "doesn't": "does not",
    "don't": "do not",
    "didn't": "did not",
    "hasn't": "has not",
    "haven't": "have not",
    "won't": "will not",
    "can't": "can not",
    "cannot": "can not",
    "shouldn't": "should not",
    "mustn't": "must not",
    "there's": "there is",
    "it's": "it is",
    "i'm": "i am",
    "you're": "you are",
    "we're": "we are",
    "they're": "they are",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: `word`, `quote` or `mark`.
        text: The content of a quote, or the word or mark as written.
        word: The word in lower case with straight apostrophes; "" for quotes.
        start: Offset of its first character.
        end: Offset behind its last character.
        slotted: A word that holds a placeholder.
    """

    kind: str
    text: str
    word: str
    start: int
    end: int
    slotted: bool = False

    @property
    def literal(self) -> bool:
        """Whether it stands for a text as it is: a quote, or a word with a placeholder."""
        return self.kind == "quote" or self.slotted


@dataclass(frozen=True, slots=True)
class Phrase:
    """A run of tokens with the text they came from."""

    source: str
    tokens: tuple[Token, ...]

    def __len__(self) -> int:
        """How many tokens it has."""
        return len(self.tokens)

    def __iter__(self) -> Iterator[Token]:
        """Its tokens in order."""
        return iter(self.tokens)

    def __getitem__(self, index: int) -> Token:
        """One token."""
        return self.tokens[index]

    def cut(self, start: int, end: int | None = None) -> Phrase:
        """The part between two token positions."""
        return Phrase(self.source, self.tokens[start:end])

    def word(self, index: int) -> str:
        """The word or mark at a position, "" outside and for quotes."""
        return self.tokens[index].word if -len(self) <= index < len(self) else ""

    def has(self, words: tuple[str, ...], at: int = 0) -> bool:
        """Whether these words stand at this position."""
        return all(self.word(at + offset) == word for offset, word in enumerate(words))

    @property
    def words(self) -> tuple[str, ...]:
        """The words and marks, "" for quotes."""
        return tuple(token.word for token in self.tokens)

    def run(self, start: int, length: int) -> tuple[str, ...]:
        """The words and marks of a short run; shorter at the end."""
        return tuple(token.word for token in self.tokens[start : start + length])

    @property
    def text(self) -> str:
        """The part of the text it covers, as written."""
        return self.source[self.tokens[0].start : self.tokens[-1].end] if self.tokens else ""

    def without(self, words: frozenset[str]) -> Phrase:
        """Without these words, wherever they stand."""
        return Phrase(self.source, tuple(token for token in self if token.word not in words))


def tokenize(text: str) -> Phrase | None:
    """Cut a text into tokens; None when its quotes do not match or it has too many of them."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        character = text[position]
        if character.isspace():
            if character in "\r\n" and tokens and tokens[-1].text != NEWLINE:
                tokens.append(Token("mark", NEWLINE, NEWLINE, position, position))
            position += 1
            continue
        if character in QUOTES:
            token = _quote(text, position)
            if token is None:
                return None
            tokens.append(token)
        elif character in MARKS:
            tokens.append(Token("mark", character, character, position, position + 1))
        else:
            word = _word(text, position)
            if word is None:
                return None
            tokens.extend(word)
        position = tokens[-1].end
        if len(tokens) > MOST_TOKENS:
            return None
    while tokens and tokens[-1].word in (".", "!", NEWLINE):
        tokens.pop()
    return Phrase(text, tuple(tokens))


def slot_end(text: str, position: int) -> int:
    """The offset behind the placeholder that begins at `position`, or 0 when none does."""
    if not text.startswith("${", position):
        return 0
    end = text.find("}", position + 2, position + 200)
    return end + 1 if end > position + 2 else 0


def only_slot(text: str) -> str | None:
    """The name when the whole text is one placeholder."""
    return text[2:-1] if text and slot_end(text, 0) == len(text) else None


def _quote(text: str, start: int) -> Token | None:
    """The quoted text that begins here."""
    closing = QUOTES[text[start]]
    position = start + 1
    while position < len(text):
        behind = slot_end(text, position)
        if behind:
            position = behind
            continue
        if text[position] in closing:
            inner = position + 1 < len(text) and _in_word(text[position + 1])
            if not inner:
                content = text[start + 1 : position]
                return Token("quote", content, "", start, position + 1)
            if text[position] not in APOSTROPHES:
                return None
        position += 1
    return None


def _word(text: str, start: int) -> list[Token] | None:
    """The word that begins here, contractions taken apart, and the marks that end it."""
    end = start
    slotted = False
    while end < len(text) and not text[end].isspace():
        behind = slot_end(text, end)
        if behind:
            slotted = True
            end = behind
            continue
        if text[end] in ",;)" and not _in_word(text[end + 1 : end + 2]):
            break
        if text[end] == ":" and slot_end(text, end + 1):
            break
        if text[end] in QUOTES and not _apostrophe(text, end):
            if end > start and text[end - 1] in "=:":
                break
            return None
        end += 1
    while end - 1 > start and text[end - 1] in MARKS and text[end - 1] not in "()":
        end -= 1
    written = text[start:end]
    plain = written.replace("’", "'").lower()
    if not slotted and plain in _CONTRACTIONS:
        return [Token("word", part, part, start, end) for part in _CONTRACTIONS[plain].split()]
    return [Token("word", written, "" if slotted else plain, start, end, slotted)]


def _apostrophe(text: str, position: int) -> bool:
    """Whether this quotation mark belongs to a word: `don't`, `users' table`."""
    if text[position] not in APOSTROPHES or not _in_word(text[position - 1]):
        return False
    following = text[position + 1 : position + 2]
    return _in_word(following) or text[position - 1] in "sS"


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
