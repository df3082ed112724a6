// Looking at a document that may want to deceive: every property is taken from the prototypes of
// this world, because a form's fields and a page's named elements stand in for properties of the
// same name ("<input name=tagName>"), in isolated worlds too.
const getter = (type, name) => {
  const get = Object.getOwnPropertyDescriptor(type.prototype, name).get;
  return (object) => Reflect.apply(get, object, []);
};
const method = (type, name) => {
  const call = type.prototype[name];
  return (object, ...values) => Reflect.apply(call, object, values);
};
const nodeTypeOf = getter(Node, 'nodeType');
const parentOf = getter(Node, 'parentNode');
const childrenOf = getter(Node, 'childNodes');
const dataOf = getter(CharacterData, 'data');
const tagOf = getter(Element, 'tagName');
const shadowOf = getter(Element, 'shadowRoot');
const slotOf = getter(Element, 'assignedSlot');
const isConnected = getter(Node, 'isConnected');
const attribute = method(Element, 'getAttribute');
const has = method(Element, 'hasAttribute');
const matches = method(Element, 'matches');
const rectOf = method(Element, 'getBoundingClientRect');
const isRendered = method(Element, 'checkVisibility');
const findIn = method(Element, 'querySelector');
const assigned = method(HTMLSlotElement, 'assignedNodes');
const rootOf = method(Node, 'getRootNode');
const byId = method(Document, 'getElementById');
const byIdIn = method(DocumentFragment, 'getElementById');
const htmlRoot = getter(Document, 'documentElement');
const bodyOf = getter(Document, 'body');
const focusOf = getter(Document, 'activeElement');
const stateOf = getter(Document, 'readyState');
const doc = window.document;

const ELEMENT = 1;
const TEXT = 3;
const squeeze = (text, most) => {
  const bounded = text.length > most * 20 ? text.slice(0, most * 20) : text;
  return bounded.replace(/[\s\u00a0\u200b]+/g, ' ').trim().slice(0, most);
};
const said = (element, name, most = 200) => squeeze(attribute(element, name) || '', most);
const styleOf = (element) => window.getComputedStyle(element);

// What a document keeps between readings: names of elements, and closed shadow roots that the
// debug protocol handed over.
// An own property: an element of that name is a property of the window, too.
if (!Object.hasOwn(globalThis, '__guildhall')) {
  Object.defineProperty(globalThis, '__guildhall', { value: {
    nonce: Math.random().toString(36).slice(2, 10),
    next: 1,
    names: new WeakMap(),
    elements: new Map(),
    closed: new WeakMap(),
    examined: new WeakSet(),
  } });
}
const kept = globalThis.__guildhall;
const nameFor = (element) => {
  let ref = kept.names.get(element);
  if (!ref) {
    ref = `${kept.nonce}.${kept.next++}`;
    kept.names.set(element, ref);
    kept.elements.set(ref, new WeakRef(element));
    if (kept.elements.size > 60000) {
      for (const [old, weak] of kept.elements) if (!weak.deref()) kept.elements.delete(old);
    }
  }
  return ref;
};
const elementOf = (ref) => {
  const element = kept.elements.get(ref)?.deref();
  return element && isConnected(element) ? element : null;
};

const UNSEEN = new Set(['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'HEAD', 'META', 'LINK', 'TITLE']);
const rootIn = (element) => kept.closed.get(element) || shadowOf(element);
// Children as they are drawn: a shadow root's in place of its host's, a slot's guests in its place.
const drawnChildren = (element) => {
  const root = rootIn(element);
  if (root) return childrenOf(root);
  if (tagOf(element) === 'SLOT') {
    const guests = assigned(element);
    if (guests.length) return guests;
  }
  return childrenOf(element);
};
const drawnParent = (node) => {
  const slot = nodeTypeOf(node) === ELEMENT ? slotOf(node) : null;
  if (slot) return slot;
  const parent = parentOf(node);
  return parent instanceof ShadowRoot ? parent.host : parent;
};
const isDrawn = (element) =>
  isRendered(element, { visibilityProperty: true }) ||
  (styleOf(element).display === 'contents' && styleOf(element).visibility === 'visible');

// Text as it is drawn below an element, for names; bounded in nodes and characters.
const textBelow = (element, most, seen = { nodes: 0 }, depth = 0) => {
  let text = '';
  for (const node of drawnChildren(element)) {
    if (++seen.nodes > 400 || depth > 60 || text.length > most * 4) break;
    const type = nodeTypeOf(node);
    if (type === TEXT) text += dataOf(node).slice(0, most * 8);
    else if (type === ELEMENT) {
      const tag = tagOf(node).toUpperCase();
      if (UNSEEN.has(tag) || attribute(node, 'aria-hidden') === 'true' || !isDrawn(node)) continue;
      const label = attribute(node, 'aria-label');
      if (label && label.trim()) text += ` ${label} `;
      else if (tag === 'IMG' || tag === 'AREA') text += ` ${attribute(node, 'alt') || ''} `;
      else if (tag === 'SELECT' || tag === 'TEXTAREA' || tag === 'INPUT') continue;
      else if (tag === 'BR') text += ' ';
      else {
        const inner = textBelow(node, most, seen, depth + 1);
        text += styleOf(node).display.startsWith('inline') ? inner : ` ${inner} `;
      }
    }
  }
  return depth ? text : squeeze(text, most);
};

// Counts an element that may hold a closed shadow root: nothing else explains it.
const PLAIN = /^(DIV|SPAN|SECTION|ARTICLE|P|ASIDE|MAIN|NAV|H\d|HEADER|FOOTER)$/;
const suspect = (element, tag, shown, counts) => {
  if (rootIn(element) || kept.examined.has(element)) return;
  if (tag.includes('-') && matches(element, ':defined')) counts.custom++;
  else if (shown && PLAIN.test(tag) && !childrenOf(element).length && rectOf(element).height > 0) counts.plain++;
};
