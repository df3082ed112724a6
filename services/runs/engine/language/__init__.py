"""Plain English: what a step, a claim or a capture asks for.

`parse_step` gives intents, `parse_claim` a check, `parse_capture` a capture phrase, `parse_target`
an element. The first three answer None when the rules cannot read the whole text: nothing is
guessed and nothing is left out. Templates are read before values are put in (`fill_intent`,
`fill_target`), so a value never changes what a text means. Reading takes linear time.
"""

from __future__ import annotations

from services.runs.engine.language.captures import parse_capture
from services.runs.engine.language.claims import parse_claim
from services.runs.engine.language.describing import describe, describe_target
from services.runs.engine.language.explaining import explain_claim, explain_step
from services.runs.engine.language.filling import fill_intent, fill_target
from services.runs.engine.language.selectors import is_css
from services.runs.engine.language.steps import parse_step
from services.runs.engine.language.targets import parse_target

__all__ = [
    "describe",
    "describe_target",
    "explain_claim",
    "explain_step",
    "fill_intent",
    "fill_target",
    "is_css",
    "parse_capture",
    "parse_claim",
    "parse_step",
    "parse_target",
]
