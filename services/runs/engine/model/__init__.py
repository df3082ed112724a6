"""Asking a model about what no rule can read: in a closed vocabulary, bounded, never trusted."""

from __future__ import annotations

from services.runs.engine.model.asking import Asking, Service
from services.runs.engine.model.enforcing import allowed, origin_of, template_of
from services.runs.engine.model.lines import Distant, answer
from services.runs.engine.model.models import (
    Action,
    CauseQuestion,
    ClaimQuestion,
    Explanation,
    Limits,
    Model,
    ModelFailed,
    Opinion,
    ProposedActions,
    StepQuestion,
    Usage,
)
from services.runs.engine.model.putting import claim_question, step_question

__all__ = (
    "Action",
    "Asking",
    "CauseQuestion",
    "ClaimQuestion",
    "Distant",
    "Explanation",
    "Limits",
    "Model",
    "ModelFailed",
    "Opinion",
    "ProposedActions",
    "Service",
    "StepQuestion",
    "Usage",
    "allowed",
    "answer",
    "claim_question",
    "origin_of",
    "step_question",
    "template_of",
)
