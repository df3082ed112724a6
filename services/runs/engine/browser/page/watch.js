// Runs in an isolated world from a document's first moment: tells when the page changed, and what
// its toasts, alerts and status lines said, also those that vanish.
((binding) => {
  const tell = globalThis[binding];
  // Asked as an own property: an element of that name would be found in its place.
  if (typeof tell !== 'function' || Object.hasOwn(globalThis, '__guildhallWatch')) return;
  Object.defineProperty(globalThis, '__guildhallWatch', { value: true });
  const say = (message) => { try { tell(JSON.stringify(message)); } catch { /* the tab goes away */ } };
  const LIVE =
    '[role=alert],[role=status],[role=alertdialog],[role=log],output,[aria-live=polite],' +
    '[aria-live=assertive],[class*=toast i],[class*=snackbar i],[class*=notification i],' +
    '[class*=flash i],[class*=alert i],[class*=notice i]';
  const attribute = Element.prototype.getAttribute;
  const closest = Element.prototype.closest;
  const all = Element.prototype.querySelectorAll;
  const rendered = Element.prototype.checkVisibility;
  const textOf = Object.getOwnPropertyDescriptor(Node.prototype, 'textContent').get;
  const shadowOf = Object.getOwnPropertyDescriptor(Element.prototype, 'shadowRoot').get;
  const elementOf = (node) => (node instanceof Element ? node : node.parentElement);

  let lastPing = 0;
  let pending = 0;
  const ping = () => {
    const now = performance.now();
    if (now - lastPing > 30) { lastPing = now; say({ k: 'c' }); return; }
    if (!pending) pending = setTimeout(() => { pending = 0; lastPing = performance.now(); say({ k: 'c' }); }, 30);
  };

  const shown = new Map();
  let number = 0;
  const roleOf = (element) => {
    const role = (Reflect.apply(attribute, element, ['role']) || '').toLowerCase();
    if (['alert', 'status', 'log', 'alertdialog'].includes(role)) return role === 'alertdialog' ? 'dialog' : role;
    if (element instanceof HTMLOutputElement) return 'status';
    const live = Reflect.apply(attribute, element, ['aria-live']);
    return live === 'assertive' ? 'alert' : live === 'polite' ? 'status' : 'toast';
  };
  const isShown = (element) =>
    element.isConnected && Reflect.apply(rendered, element, [{ visibilityProperty: true }]);
  const textIn = (element) =>
    Reflect.apply(textOf, element, []).slice(0, 20000).replace(/[\s\u00a0]+/g, ' ').trim().slice(0, 1000);
  const look = (element) => {
    const visible = isShown(element);
    const text = visible ? textIn(element) : '';
    const before = shown.get(element);
    if (before && before.text !== text) { say({ k: 'g', i: before.id }); shown.delete(element); }
    if (!text || (before && before.text === text)) return;
    if (number >= 500 || shown.size >= 50) return;
    const id = ++number;
    shown.set(element, { id, text });
    say({ k: 'n', i: id, t: text, r: roleOf(element) });
  };
  const sweep = () => {
    for (const element of [...shown.keys()]) look(element);
  };

  const observed = new WeakSet();
  const observer = new MutationObserver((records) => handle(records));
  const observe = (root) => {
    if (observed.has(root)) return;
    observed.add(root);
    observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
  };
  const within = (element) => {
    let count = 0;
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_ELEMENT);
    for (let node = element; node && count < 500; node = walker.nextNode(), count++) {
      if (!(node instanceof Element)) continue;
      const root = Reflect.apply(shadowOf, node, []);
      if (root && !observed.has(root)) {
        observe(root);
        for (const each of [...root.querySelectorAll(LIVE)].slice(0, 20)) look(each);
      }
    }
  };
  const recent = new WeakMap();
  const counts = (record) => {
    if (record.type === 'childList') return true;
    const last = recent.get(record.target) || -1000;
    const now = performance.now();
    if (now - last < 500) return false; // an animation or a clock is not a page that is still changing
    recent.set(record.target, now);
    return true;
  };
  const handle = (records) => {
    let changed = false;
    const live = new Set();
    const added = new Set();
    for (const record of records.slice(0, 300)) {
      changed = counts(record) || changed;
      const target = elementOf(record.target);
      const around = target && Reflect.apply(closest, target, [LIVE]);
      if (around) live.add(around);
      if (record.type === 'attributes' && target && live.size < 50) added.add(target);
      for (const node of record.addedNodes) if (node instanceof Element && added.size < 200) added.add(node);
    }
    if (records.length > 300) {
      changed = true;
      for (const each of [...document.querySelectorAll(LIVE)].slice(0, 50)) live.add(each);
    }
    for (const element of added) {
      if (!element.isConnected) continue;
      if (element.matches(LIVE)) live.add(element);
      for (const each of [...Reflect.apply(all, element, [LIVE])].slice(0, 20)) live.add(each);
      within(element);
    }
    for (const element of live) look(element);
    sweep();
    if (changed) ping();
  };
  observe(document);
  const ready = () => {
    for (const each of [...document.querySelectorAll(LIVE)].slice(0, 50)) look(each);
    if (document.documentElement) within(document.documentElement);
    if (window === window.top) say({ k: 'd', s: document.scripts.length });
  };
  say({ k: window === window.top ? 's' : 'w' });
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', ready, { once: true });
  else ready();
})
