"""How a submission is known again, and what of it is kept (section 4.2)."""

from __future__ import annotations

import hashlib
import json

from services.learnings.redaction.operations import redact, redact_metadata
from services.learnings.submissions.models import NewSubmission, Written
from shared.principal import Principal


def digest_of(body: NewSubmission) -> bytes:
    """Give the SHA-256 by which the same words are known when they are sent again."""
    text = json.dumps([body.category, body.subject, body.message])
    return hashlib.sha256(text.encode()).digest()


def written(body: NewSubmission, principal: Principal, submission_id: str) -> Written:
    """Give what is stored: redacted, but for the address at which its writer wants an answer."""
    return Written(
        org_id=principal.org,
        id=submission_id,
        principal=principal.subject,
        account_id=principal.account,
        category=body.category,
        subject=redact(body.subject),
        message=redact(body.message),
        metadata=redact_metadata(body.metadata or {}),
        contact_email=body.contact_email or None,
        digest=digest_of(body),
    )
