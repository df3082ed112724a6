"""What knowledge bases mean, which parts of a text fit a question, and how much may be told.

bases     reading what an agent names
words     the words of a text, and which of several texts fit a question
sections  a team's knowledge and skills in parts
sharing   one answer out of several
"""

from __future__ import annotations

from services.agents.knowledge.rules.bases import may_read, read_bases, read_question
from services.agents.knowledge.rules.sections import parts_of, passage_of
from services.agents.knowledge.rules.sharing import shared_out
from services.agents.knowledge.rules.words import fitting, words_of

__all__ = [
    "fitting",
    "may_read",
    "parts_of",
    "passage_of",
    "read_bases",
    "read_question",
    "shared_out",
    "words_of",
]
