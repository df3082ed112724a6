"""The functions that an exported spec brings along: those it calls, and those they call."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from services.runs.engine.spec.helpers_acting import ACTING
from services.runs.engine.spec.helpers_making import MAKING

_TYPES: Final = """\
type Root = Frame | Locator;
type Find = (at: Root) => Locator;
type Name = { strict: string | RegExp; loose: string | RegExp };
type Place = { within?: Find; nth?: number };
"""

_LOCATING: Final = {
    "quoted": """\
/** A name as it was quoted. */
function quoted(text: string): Name {
  return { strict: text, loose: text };
}
""",
    "words": """\
/** A name as it was said: case and punctuation do not count. */
function words(text: string): Name {
  const parts = text.split(/[^\\p{L}\\p{N}]+/u).filter((part) => part !== '');
  const source = parts.join('[^\\\\p{L}\\\\p{N}]*');
  return {
    strict: new RegExp(`^[^\\\\p{L}\\\\p{N}]*${source}[^\\\\p{L}\\\\p{N}]*$`, 'iu'),
    loose: new RegExp(source, 'iu'),
  };
}
""",
    "first": """\
/** Waits until one of them can be seen, in any frame, and gives the first of the first that can. */
async function first(page: Page, place: Place, ...finds: Find[]): Promise<Locator> {
  let found: Locator | undefined;
  await expect(async () => {
    for (const find of finds) {
      for (const frame of page.frames()) {
        const at = place.within ? place.within(frame).filter({ visible: true }).first() : frame;
        const all = find(at).filter({ visible: true });
        const one = place.nth === undefined ? all.first() : all.nth(place.nth);
        if ((await one.count()) > 0) {
          found = one;
          return;
        }
      }
    }
    throw new Error(`no such element can be seen on ${page.url()}`);
  }).toPass({ timeout: patience });
  return found as Locator;
}
""",
    "clickable": """\
/** The button of that name, or a link and the like, or else what shows that text: first match. */
async function clickable(page: Page, name: Name, place: Place = {}): Promise<Locator> {
  const roles = ['button', 'link', 'tab', 'menuitem', 'checkbox', 'radio', 'switch'] as const;
  return first(
    page,
    place,
    ...roles.map((role) => (at: Root) => at.getByRole(role, { name: name.strict, exact: true })),
    (at) => at.getByText(name.strict, { exact: true }),
    ...roles.map((role) => (at: Root) => at.getByRole(role, { name: name.loose })),
    (at) => at.getByText(name.loose),
    (at) => at.getByTestId(name.strict),
  );
}
""",
    "field": """\
const ENTRIES =
  'input, textarea, select, [contenteditable], [role=textbox], [role=searchbox], ' +
  '[role=combobox], [role=spinbutton], [role=slider]';

/** The field of that label, or of that placeholder. */
async function field(page: Page, name: Name, place: Place = {}): Promise<Locator> {
  return first(
    page,
    place,
    (at) => at.getByLabel(name.strict, { exact: true }).and(at.locator(ENTRIES)),
    (at) => at.getByPlaceholder(name.strict, { exact: true }),
    (at) => at.getByLabel(name.loose).and(at.locator(ENTRIES)),
    (at) => at.getByPlaceholder(name.loose),
    (at) => at.getByTestId(name.strict).and(at.locator(ENTRIES)),
  );
}
""",
    "fitting": """\
/** The field that a value fits by its type, or by words in its label, placeholder or name. */
async function fitting(page: Page, name: string, type = ''): Promise<Locator> {
  const { loose } = words(name);
  const word = name.replace(/[^A-Za-z0-9]+/g, '');
  const typed: Find[] = type ? [(at) => at.locator(`input[type="${type}"]`)] : [];
  const named: Find[] = word
    ? [(at) => at.locator(['name', 'id'].map((key) => `input[${key}*="${word}" i]`).join(', '))]
    : [];
  return first(
    page,
    {},
    ...typed,
    (at) => at.getByLabel(loose).and(at.locator(ENTRIES)),
    (at) => at.getByPlaceholder(loose),
    ...named,
  );
}
""",
    "element": """\
/** The element of that role, by name if it is given. */
async function element(
  page: Page,
  role: Parameters<Page['getByRole']>[0],
  name: Name | null,
  place: Place = {},
): Promise<Locator> {
  if (name === null) return first(page, place, (at) => at.getByRole(role));
  return first(
    page,
    place,
    (at) => at.getByRole(role, { name: name.strict, exact: true }),
    (at) => at.getByRole(role, { name: name.loose }),
    (at) => at.getByTestId(name.strict),
  );
}
""",
    "shown": """\
/** Whatever can be seen by that name, or says that text. */
async function shown(page: Page, name: Name, place: Place = {}): Promise<Locator> {
  const roles = ['button', 'link', 'heading', 'textbox', 'combobox', 'img', 'dialog'] as const;
  return first(
    page,
    place,
    ...roles.map((role) => (at: Root) => at.getByRole(role, { name: name.strict, exact: true })),
    (at) => at.getByText(name.strict, { exact: true }),
    (at) => at.getByText(name.loose),
    ...roles.map((role) => (at: Root) => at.getByRole(role, { name: name.loose })),
    (at) => at.getByTestId(name.strict),
    (at) => at.getByTitle(name.loose),
  );
}
""",
    "gone": """\
/** Waits until nothing of the kind can be seen in any frame. */
async function gone(page: Page, find: Find): Promise<void> {
  await expect(async () => {
    for (const frame of page.frames()) {
      await expect(find(frame).filter({ visible: true })).toHaveCount(0, { timeout: 1 });
    }
  }).toPass({ timeout: 10_000 });
}
""",
}

_ALL: Final = {**MAKING, **_LOCATING, **ACTING}

NAMES: Final = frozenset({*_ALL, "ENTRIES", "Root", "Find", "Name", "Place", "test", "expect"})

_CALLS: Final = re.compile(r"\b([a-z]\w*)\(|\b(ENTRIES)\b")


def sources(used: Iterable[str]) -> list[str]:
    """Give the helpers that are used, directly or not, in an order of their own."""
    wanted: set[str] = set()
    left = list(used)
    while left:
        name = left.pop()
        if name in _ALL and name not in wanted:
            wanted.add(name)
            for call, constant in _CALLS.findall(_ALL[name]):
                left.append("field" if constant else call)
    found = [source for name, source in _ALL.items() if name in wanted]
    return [_TYPES, *found] if wanted & {*_LOCATING, *ACTING} else found
