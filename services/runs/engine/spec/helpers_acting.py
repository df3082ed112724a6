"""Helpers of exported specs that act on a page, and that read from it."""

from __future__ import annotations

from typing import Final

ACTING: Final = {
    "answer": """\
let answered: Promise<void> = Promise.resolve();

/** Answers the dialog that comes up next; whoever awaits `answered` fails if none does. */
function answer(page: Page, accept: boolean, text?: string): void {
  answered = new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error('no dialog came up')), 10_000);
    page.once('dialog', (dialog) => {
      clearTimeout(late);
      (accept ? dialog.accept(text) : dialog.dismiss()).then(done, fail);
    });
  });
  answered.catch(() => undefined);
}
""",
    "enter": """\
/** Types into a field, or picks in a native list. */
async function enter(target: Locator, value: string): Promise<void> {
  const tag = await target.evaluate((element) => element.tagName);
  if (tag === 'SELECT') await target.selectOption({ label: value });
  else await target.fill(value);
}
""",
    "enterPassword": """\
/** Types a password, also where it is to be repeated. */
async function enterPassword(page: Page, value: string): Promise<void> {
  const one = await first(page, {}, (at) => at.locator('input[type=password]'));
  const all = page.locator('input[type=password]').filter({ visible: true });
  if ((await all.count()) === 2) {
    await all.nth(0).fill(value);
    await all.nth(1).fill(value);
  } else {
    await one.fill(value);
  }
}
""",
    "submit": """\
/** Submits the form that was used last, or the only one. */
async function submit(page: Page): Promise<void> {
  const button = 'button:not([type=button]):not([type=reset]), input[type=submit]';
  const used = page.locator('form:focus-within');
  const form = (await used.count()) > 0 ? used : page.locator('form').filter({ visible: true });
  await form.locator(button).filter({ visible: true }).first().click();
}
""",
    "logIn": """\
/** Logs in where the page asks for it, or behind its link. */
async function logIn(page: Page, user: string, secret: string): Promise<void> {
  const box = page.locator('input[type=password]').filter({ visible: true }).first();
  const link = page.getByRole('link', { name: /(log|sign)[\\s-]?in/i }).first();
  await expect(box.or(link).first()).toBeVisible();
  if ((await box.count()) === 0) await link.click();
  await box.waitFor();
  const form = page.locator('form').filter({ has: page.locator('input[type=password]') }).first();
  const name = 'input:not([type]), input[type=text], input[type=email], input[type=tel]';
  await form.locator(name).filter({ visible: true }).first().fill(user);
  await box.fill(secret);
  const url = page.url();
  await box.press('Enter');
  await expect.poll(async () => page.url() !== url || (await box.count()) === 0).toBe(true);
}
""",
    "openPage": """\
/** Opens a page by its name: nothing where it is open, else by its link, also in a menu. */
async function openPage(page: Page, name: RegExp): Promise<void> {
  const there = [new URL(page.url()).pathname, await page.title()];
  const heading = page.getByRole('heading', { level: 1 }).filter({ visible: true });
  if ((await heading.count()) > 0) there.push(await heading.first().innerText());
  if (there.some((text) => name.test(text))) return;
  const roles = ['link', 'menuitem', 'button'] as const;
  const finds = roles.map((role) => (at: Root) => at.getByRole(role, { name }));
  await (await first(page, {}, ...finds)).click();
}
""",
    "choose": """\
/** Picks an option of a list, native or not. */
async function choose(page: Page, list: Locator, option: string): Promise<void> {
  const tag = await list.evaluate((element) => element.tagName);
  if (tag === 'SELECT') {
    await list.selectOption({ label: option });
    return;
  }
  await list.click();
  await (await first(page, {}, (at) => at.getByRole('option', { name: option }))).click();
}
""",
    "listWith": """\
/** The list that has an option. */
async function listWith(page: Page, option: string): Promise<Locator> {
  return first(page, {}, (at) =>
    at.locator('select').filter({ has: page.locator('option', { hasText: option }) }),
  );
}
""",
    "searchFor": """\
async function searchFor(page: Page, value: string): Promise<void> {
  const box = await first(
    page,
    {},
    (at) => at.getByRole('searchbox'),
    (at) => at.getByPlaceholder(/search/i),
    (at) => at.getByLabel(/search/i).and(at.locator('input')),
  );
  await box.fill(value);
  await box.press('Enter');
}
""",
    "made": """\
/** A file of that kind and size. */
function made(name: string, mimeType: string, size: number): {
  name: string; mimeType: string; buffer: Buffer;
} {
  const png =
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E' +
    'rkJggg==';
  const text = 'made for a test\\n';
  const head = mimeType === 'image/png' ? Buffer.from(png, 'base64') : Buffer.from(text);
  const rest = Buffer.alloc(Math.max(0, size - head.length), mimeType === 'image/png' ? 0 : 32);
  return { name, mimeType, buffer: Buffer.concat([head, rest]) };
}
""",
    "attach": """\
async function attach(page: Page, file: ReturnType<typeof made>): Promise<void> {
  await page.locator('input[type=file]').first().setInputFiles(file);
}
""",
    "otherTab": """\
/** The tab of that number (-1: the newest) or title, once it is there. */
async function otherTab(page: Page, wanted: number | RegExp): Promise<Page> {
  let found: Page | undefined;
  await expect(async () => {
    const tabs = page.context().pages();
    for (const [index, tab] of tabs.entries()) {
      const number = typeof wanted === 'number' && wanted < 0 ? tabs.length + wanted + 1 : wanted;
      if (typeof number === 'number' ? index + 1 === number : number.test(await tab.title())) {
        found = tab;
      }
    }
    expect(found).toBeDefined();
  }).toPass({ timeout: 10_000 });
  await (found as Page).bringToFront();
  return found as Page;
}
""",
    "closed": """\
/** Closes a tab, and gives the newest of those that are left. */
async function closed(tab: Page): Promise<Page> {
  const context = tab.context();
  await tab.close();
  return context.pages().at(-1) as Page;
}
""",
    "beside": """\
/** The text beside a label: of a definition, a table row, a field, or after a colon. */
async function beside(page: Page, label: string): Promise<string> {
  let found = '';
  await expect(async () => {
    for (const frame of page.frames()) {
      found = await frame.evaluate((wanted) => {
        const plain = (text: string | null | undefined): string =>
          (text ?? '').replace(/\\s+/g, ' ').trim();
        const trimmed = (text: string): string => text.replace(/\\s*:$/, '').toLowerCase();
        for (const one of Array.from(document.querySelectorAll('dt, th, label, span, strong, b'))) {
          if (trimmed(plain(one.textContent)) !== wanted.toLowerCase()) continue;
          const control = one instanceof HTMLLabelElement ? one.control : null;
          if (control !== null && 'value' in control) return plain(String(control.value));
          const next = plain(one.nextElementSibling?.textContent ?? one.nextSibling?.textContent);
          if (next !== '') return next;
        }
        const lines = (document.body?.innerText ?? '').split('\\n').map(plain);
        for (const line of lines) {
          if (line.toLowerCase().startsWith(`${wanted.toLowerCase()}:`)) {
            return line.slice(wanted.length + 1).trim();
          }
        }
        return '';
      }, label);
      if (found !== '') return;
    }
    throw new Error(`nothing stands beside ${label}`);
  }).toPass({ timeout: 5_000 });
  return found;
}
""",
    "near": """\
/** What looks like that, nearest after those words. */
async function near(page: Page, after: readonly string[], looks: RegExp): Promise<string> {
  let found = '';
  await expect(async () => {
    for (const frame of page.frames()) {
      const text = await frame.locator('body').innerText();
      const head = words(after.join(' ')).loose as RegExp;
      const at = after.length === 0 ? 0 : text.search(head);
      const rest = at < 0 ? '' : text.slice(at).replace(head, '');
      found = looks.exec(rest)?.[0] ?? '';
      if (found !== '') return;
    }
    throw new Error(`nothing of the kind stands near ${after.join(' ')}`);
  }).toPass({ timeout: 5_000 });
  return found;
}
""",
    "shows": """\
/** One of these texts can be read there. */
async function shows(where: Locator, texts: readonly string[]): Promise<boolean> {
  const shown = (await where.innerText()).replace(/\\s+/g, ' ');
  return texts.some((text) => shown.includes(text));
}
""",
    "loggedIn": """\
/** Somebody is logged in: there is a way out, and nobody asks for a password. */
async function loggedIn(page: Page): Promise<boolean> {
  const out = /(log|sign)[\\s-]?out/i;
  const ways = page.getByRole('link', { name: out }).or(page.getByRole('button', { name: out }));
  const asked = page.locator('input[type=password]').filter({ visible: true });
  return (await ways.count()) > 0 && (await asked.count()) === 0;
}
""",
}
