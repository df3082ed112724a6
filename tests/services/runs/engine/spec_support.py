"""Suites to be exported, all of the tests' shop."""

from __future__ import annotations

from services.runs.engine.grammar import parse
from services.runs.engine.grammar.models import Suite
from services.runs.engine.spec import write


def suite_of(text: str) -> Suite:
    """Read a suite that has nothing wrong."""
    parsed = parse(text)
    assert parsed.suite is not None, parsed.problems
    return parsed.suite


def exported(text: str) -> str:
    """Export a suite."""
    return write(suite_of(text))


def one_case(steps: str, expect: str = "", top: str = "", case: str = "") -> str:
    """Export a suite of one case from YAML lists on one line each."""
    return exported(
        "suite: One\nid: one\nbase_url: http://shop.test\n"
        + top
        + "\ncases:\n- id: first\n  title: First\n"
        + (f"  {case}\n" if case else "")
        + f"  steps: {steps or '[]'}\n"
        + (f"  expect: {expect}\n" if expect else "")
    )


CHAIN = """
suite: A chain of log-ins
id: chain
base_url: ${HOST}
env: {HOST: "${SHOP_URL}", GREETING: Welcome}
fixtures:
  email: {gen: unique_email}
  password: {gen: password}
cases:
  - id: sign-up
    title: A visitor signs up
    steps:
      - do: Open the sign-up page
      - do: Enter ${email} and ${password}
        secret: true
      - do: Click "Sign up"
    expect:
      - assert: '"Your account is ready." is shown'
      - check: {kind: url, path_is: /dashboard/}
      - check: {kind: visible_text, contains: "${GREETING}"}
      - assert: They are logged in
    capture:
      - {name: member, from: 'the text beside "Member number"'}
  - id: log-out
    title: They leave
    depends_on: sign-up
    steps: [{do: 'Click "Log out"'}]
    expect:
      - check: {kind: absent_text, any_of: [log out, "${GREETING}"]}
      - check: {kind: element_visible, selector_hint: 'the "Log in" link'}
  - id: wrong
    title: A wrong password is refused
    depends_on: log-out
    steps:
      - do: Open the log-in page
      - do: Enter "${email}" into "Email" and "not-the-password" into "Password"
        secret: true
      - do: Click "Log in"
    expect:
      - assert: An error is shown
      - check: {kind: visible_text, selector_hint: .error, equals: Wrong e-mail or password.}
  - id: log-in
    title: They log in again
    depends_on: [log-out]
    steps: [{do: 'Log in with ${email} and ${password}', secret: true}]
    expect:
      - check: {kind: url, contains: /dashboard}
      - check: {kind: visible_text, contains: "${member}"}
      - check: {kind: title, contains: Dashboard}
"""

FORMS = """
suite: Forms
id: forms
base_url: ${HOST}/fields
env: {HOST: "${SHOP_URL}"}
fixtures:
  day: {gen: date, offset_days: -9000}
  age: {gen: number, min: 20, max: 60}
  phone: {gen: phone}
  e_mail: {gen: unique_email}
cases:
  - id: fields
    title: Every kind of field
    steps:
      - do: Enter "Ada `Lovelace` ${e_mail} \\\\ 'x'" into "Full name"
      - do: Fill the E-mail field with ${e_mail}
      - do: Enter ${phone} and ${age}
      - do: Type ${day} into "Birthday"
      - do: Select "France" from "Country"
      - do: Tick "I accept the terms"
      - do: Choose "In the shop"
      - do: Enter "ab1" into "Plate"
      - do: Type "Dear all" into "Notes"
    expect:
      - check: {kind: value, selector_hint: "Plate field", equals: AB1}
      - check: {kind: value, selector_hint: "E-mail field", equals: "${e_mail}"}
      - check: {kind: checked, selector_hint: '"I accept the terms" checkbox'}
      - check: {kind: disabled, selector_hint: 'the "Archive" button'}
      - check: {kind: enabled, selector_hint: 'the "Send" button'}
      - check: {kind: count, selector_hint: "#every input[type=radio]", equals: 2}
      - check: {kind: attribute, selector_hint: "#code", name: maxlength, equals: "4"}
  - id: upload
    title: A file
    steps:
      - do: Open /upload
      - do: Upload a 1 KB PNG
    expect:
      - check: {kind: url, path_is: /upload}
"""

TABLES = """
suite: Orders
id: orders
base_url: ${HOST}
env: {HOST: "${SHOP_URL}"}
cases:
  - id: details
    title: One of many buttons
    steps:
      - do: Click "Orders"
      - do: Click "Details" in the row containing "ORD-1002"
    expect:
      - check: {kind: visible_text, contains: Details of ORD-1002}
  - id: search
    title: Searching
    steps: [{do: Search for "Teapot"}]
    expect:
      - check: {kind: url, contains: q=Teapot}
      - check: {kind: visible_text, any_of: [Results for, Nothing]}
  - id: product
    title: A card among others
    steps:
      - do: Open the products page
      - do: Click the second "Add to cart" button
      - do: Open the cart
    expect:
      - check: {kind: visible_text, contains: Total}
      - check: {kind: absent_text, any_of: [your cart is empty]}
  - id: receipt
    title: Reading values
    steps: [{do: Open /receipt}]
    capture:
      - {name: invoice, from: 'the text beside "Invoice number"'}
      - {name: share, from: 'the value of the "Share link" field'}
  - id: values
    title: Using them
    depends_on: receipt
    steps:
      - do: Open /fields
      - do: Enter "${invoice}" into "Full name" and "${share}" into "Website"
    expect:
      - check: {kind: value, selector_hint: "Full name field", equals: INV-2026-0042}
      - check: {kind: value, selector_hint: "Website field", equals: "https://example.com/r/42"}
"""

WINDOWS = """
suite: Dialogs, frames and shadows
id: windows
base_url: ${HOST}/dialogs
env: {HOST: "${SHOP_URL}"}
cases:
  - id: confirm
    title: A question of the browser
    steps:
      - do: Click "Delete order"
      - do: Accept the dialog
    expect: [{check: {kind: visible_text, contains: deleted}}]
  - id: refuse
    title: The same question refused
    steps: [{do: 'Click "Delete order" and dismiss the dialog'}]
    expect: [{check: {kind: visible_text, selector_hint: "#outcome", equals: kept}}]
  - id: modal
    title: A dialog of the page
    steps:
      - do: Click "Open modal"
      - do: Click "Close" in the dialog
    expect: [{check: {kind: visible_text, contains: modal closed}}]
  - id: frames
    title: Forms in frames
    steps:
      - do: Open /frames
      - do: Enter "Ada" into "Nickname"
      - do: Enter "4242" into "Card number"
    expect:
      - check: {kind: value, selector_hint: "Nickname field", equals: Ada}
      - check: {kind: value, selector_hint: "Card number field", equals: "4242"}
  - id: shadow
    title: A form in an open shadow root
    steps:
      - do: Open /shadow
      - do: Enter "Rua 1" into "Street"
      - do: Click "Store street"
    expect: [{check: {kind: visible_text, contains: "open: Rua 1"}}]
  - id: moves
    title: Keys and history
    viewport: {width: 800, height: 600}
    steps:
      - do: Open /about
      - do: Open /products
      - do: Go back
      - do: Scroll down
    expect: [{check: {kind: url, path_is: /about}}]
"""

HONEST = """
suite: What cannot be said
id: honest
base_url: ${HOST}
env: {HOST: "${SHOP_URL}"}
cases:
  - id: step
    title: An unreadable step
    steps: [{do: Make the page feel welcoming}]
    expect: [{check: {kind: visible_text, contains: Teahouse}}]
  - id: after
    title: After it
    depends_on: step
    steps: [{do: Open /about}]
  - id: claim
    title: An unreadable claim
    steps: [{do: Open /about}]
    expect: [{assert: The page radiates calm}, {check: {kind: url, path_is: /about}}]
  - id: unknown
    title: A name that nothing binds
    steps: [{do: 'Enter "${nobody}" into "Search products"'}]
  - id: skipped
    title: Left out
    skip: not today
    steps: [{do: Open /about}]
  - id: false
    title: A false claim
    steps: [{do: Open /about}]
    expect: [{check: {kind: visible_text, contains: This stands nowhere}}]
"""
