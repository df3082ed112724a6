"""Reports of every kind, among them one that a hostile page has written into."""

from __future__ import annotations

from services.runs.engine.evidence.models import (
    ActionReport,
    AssertionReport,
    AttemptReport,
    CandidateReport,
    CaseReport,
    ConsoleError,
    Download,
    Environment,
    IssueReport,
    NetworkError,
    Report,
    RootCause,
    Shot,
    StepReport,
    Summary,
    Touched,
)

HOSTILE = (
    "</style></script><script>document.title='owned'</script>"
    "<img src=x onerror=document.title='owned'>\"'><svg onload=document.title='owned'>"
    "{{7*7}}{%raw%}javascript:document.title='owned' "
    "]]> --> \x00\x08\x1b[31m\ufffe\ud800 \u202eevil\u2066"
)


SCRIPT = "javascript:document.title='owned'"


def _step(number: int, do: str, ms: int, **more: object) -> StepReport:
    done = ActionReport(
        tool="click_element",
        target=Touched("button", do.partition('"')[2].strip('"') or "Continue", f"e{number}"),
        text=do,
        url="http://shop.example/sign-up",
        ms=ms // 2,
        source="cache" if number % 2 else "rule",
    )
    fields: dict[str, object] = {"actions": (done,), "duration_ms": ms, **more}
    return StepReport(f"s{number}", do, **fields)  # type: ignore[arg-type]


SIGN_UP = CaseReport(
    id="sign-up",
    title="A visitor signs up and is welcomed",
    tags=("p0", "smoke"),
    verdict="passed",
    duration_ms=3_412,
    steps=(
        _step(1, "Open the sign-up page", 820),
        _step(2, "Enter alice@example.com and ••••", 1_240),
        _step(3, 'Click "Create account"', 1_100),
    ),
    assertions=(
        AssertionReport(
            "a1",
            "“Welcome, Alice” is shown",
            {"kind": "visible_text", "contains": "Welcome, Alice"},
            expected="visible text contains “Welcome, Alice”",
            observed="Welcome, Alice! Your account is ready.",
        ),
        AssertionReport(
            "a2",
            "she lands on the dashboard",
            None,
            expected="the path is /dashboard",
            observed="/dashboard",
            source="rule",
            suggested_check={"kind": "url", "path_is": "/dashboard"},
            warnings=("already_true",),
        ),
    ),
    captures={"customer_number": "C-10442"},
    shots=(
        Shot("Open the sign-up page", "", "shots/sign-up/1.png", "s1"),
        Shot('Click "Create account"', "after the click", "shots/sign-up/3.png", "s3"),
    ),
    heals=("heal_1",),
    trace="traces/sign-up.zip",
)

CHECKOUT = CaseReport(
    id="checkout",
    title="Paying by card shows a receipt",
    tags=("p1",),
    verdict="failed",
    reason="assertion: The receipt was not shown",
    duration_ms=9_870,
    attempt=2,
    attempts=(AttemptReport(1, "failed", "assertion: The receipt was not shown", 9_400),),
    steps=(
        _step(1, 'Click "Add to cart" in the row containing "Teapot"', 640),
        _step(2, 'Click "Check out"', 910),
        _step(3, 'Click "Place order"', 2_300),
    ),
    assertions=(
        AssertionReport(
            "a1",
            "“Thank you for your order” is shown",
            {"kind": "visible_text", "contains": "Thank you for your order"},
            "failed",
            expected="visible text contains “Thank you for your order”",
            observed="Something went wrong. Your card was not charged. Try again in a moment.",
        ),
    ),
    shots=(
        Shot('Click "Place order"', "when the expectation failed", "shots/checkout/3.png", "s3"),
    ),
    network_errors=(
        NetworkError(
            "POST",
            "http://shop.example/api/orders?page=1",
            500,
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "2026-02-03T09:14:11.120Z",
        ),
        NetworkError(
            "GET", "http://cdn.example/fonts.css", None, None, None, "ERR_NAME_NOT_RESOLVED"
        ),
    ),
    console_errors=(
        ConsoleError(
            "TypeError: Cannot read properties of undefined (reading 'total')",
            "http://shop.example/static/app.js",
            214,
            "2026-02-03T09:14:11.300Z",
        ),
    ),
    root_cause=RootCause(
        "backend_error",
        "KeyError: 'vat' in orders/pricing.py:88",
        "POST /api/orders answered 500 right before the expectation failed.",
        "Look at the server's log for the trace id.",
        0.82,
        ("POST /api/orders → 500", "ERROR orders.pricing KeyError: 'vat'"),
    ),
    issue=IssueReport("TW-12", "tw:shop:checkout:1f3a9c0b77de", created=True),
    downloads=(Download("invoice.pdf", "downloads/checkout/invoice.pdf", 48_213),),
    trace="traces/checkout.zip",
)

ORDERS = CaseReport(
    id="orders",
    title="An order can be cancelled",
    verdict="broken",
    reason="ambiguous: 3 elements fit “Cancel”",
    duration_ms=10_240,
    steps=(
        _step(1, "Open the orders page", 700),
        StepReport(
            "s2",
            'Click "Cancel"',
            "broken",
            (),
            10_000,
            "3 elements fit “Cancel”, and none fits better than the others.",
            (
                CandidateReport("button", "Cancel", 120, "row “ORD-1001 Teapot”"),
                CandidateReport("button", "Cancel", 120, "row “ORD-1002 Kettle”"),
                CandidateReport("button", "Cancel", 118, "row “ORD-1003 Cup”"),
            ),
        ),
        StepReport("s3", 'Click "Yes, cancel it"', "skipped"),
    ),
    assertions=(AssertionReport("a1", "“Cancelled” is shown", verdict="skipped"),),
    warnings=('Say which one: Click "Cancel" in the row containing "…"',),
)

SKIPPED = CaseReport(
    "refund",
    "A cancelled order is refunded",
    verdict="skipped",
    reason="depends_on: “orders” did not pass",
)

FLAKY = CaseReport(
    id="search",
    title="Search finds the teapot",
    verdict="passed",
    flaky=True,
    attempt=2,
    attempts=(AttemptReport(1, "broken", "timeout: the results did not appear", 10_020),),
    duration_ms=1_900,
    steps=(_step(1, 'Search for "teapot"', 1_500),),
    assertions=(
        AssertionReport(
            "a1",
            "the results are about tea",
            None,
            expected="the results are about tea",
            observed="Three products, all of them for tea.",
            source="model",
            confidence=0.93,
        ),
    ),
)

REPORT = Report(
    run_id="run_4Jq2tX0aPz81LmVb",
    suite="Shop",
    suite_id="shop",
    file="shop.tripwire.yaml",
    status="broken",
    started_at="2026-02-03T09:13:55.402Z",
    finished_at="2026-02-03T09:14:21.008Z",
    duration_ms=25_606,
    summary=Summary(total=5, passed=2, failed=1, broken=1, skipped=1, flaky=1, healed=1),
    env=Environment(
        "http://shop.example",
        "chromium 142",
        git_sha="9f2c1ab7e4d05566f8a3",
        ci_url="https://ci.example/jobs/118",
    ),
    cases=(SIGN_UP, CHECKOUT, ORDERS, SKIPPED, FLAKY),
    issues_filed=(
        {"provider": "tripwire", "key": "TW-12", "url": "/issues/TW-12"},
        {"provider": "github", "key": "#77", "url": "https://github.example/shop/issues/77"},
    ),
)

RUNNING = Report(
    "run_1",
    "Shop",
    "shop",
    "shop.tripwire.yaml",
    "running",
    "2026-02-03T09:13:55.402Z",
    duration_ms=4_000,
    summary=Summary(total=5, passed=1),
    cases=(
        SIGN_UP,
        CaseReport(
            "checkout",
            "Paying by card shows a receipt",
            steps=(_step(1, 'Click "Check out"', 500), StepReport("s2", "Pay", "running")),
        ),
    ),
)

EMPTY = Report(
    "run_2", "Shop", "shop", "shop.tripwire.yaml", "interrupted", summary=Summary(total=5)
)


def hostile() -> Report:
    """Give a report in which every text is the page's."""
    h = HOSTILE
    case = CaseReport(
        id=h,
        title=h,
        tags=(h,),
        verdict="failed",
        reason=h,
        captures={h: h},
        heals=(h,),
        steps=(
            StepReport(
                h,
                h,
                "broken",
                (ActionReport(h, Touched(h, h, h), h, h, h, False, 1, h),),
                1,
                h,
                (CandidateReport(h, h, 1, h),),
            ),
        ),
        assertions=(
            AssertionReport(
                h, h, {h: h, "kind": [h, {h: h}]}, "failed", h, h, h, 0.5, {"kind": h}, (h,)
            ),
        ),
        shots=(Shot(h, h, h, h), Shot(h, h, SCRIPT), Shot(h, h, "//evil.example/x.png")),
        network_errors=(NetworkError(h, SCRIPT, 500, h, h, h),),
        console_errors=(ConsoleError(h, h, 1, h),),
        root_cause=RootCause(h, h, h, h, 0.5, (h, h)),
        issue=IssueReport(h, h),
        attempts=(AttemptReport(1, h, h),),
        warnings=(h,),
        trace=h,
        downloads=(Download(h, SCRIPT, 1), Download(h, h, 1)),
    )
    return Report(
        h,
        h,
        h,
        h,
        h,
        h,
        h,
        1,
        Summary(1, failed=1),
        Environment(h, h, git_sha=h, ci_url=SCRIPT),
        (case,),
        ({"provider": h, "key": h, "url": SCRIPT}, {h: h}),
    )
