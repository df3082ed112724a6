// The selector engine that Playwright runs in its isolated world. What is asked stands in the
// selector as hex of JSON; what is told stands in the text of an element that is in no document.
const decode = (hex) => {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(i * 2, i * 2 + 2), 16);
  return JSON.parse(new TextDecoder().decode(bytes));
};
const tell = (value) => {
  const element = doc.createElement('div');
  element.textContent = JSON.stringify(value);
  return [element];
};
// A box that is only drawn through its label is clicked there.
const isLarge = (element) => {
  const box = rectOf(element);
  return isDrawn(element) && box.width > 1 && box.height > 1;
};
const faceOf = (element) => {
  if (isLarge(element)) return element;
  labels.clear();
  const shows = (each) => isDrawn(each) && rectOf(each).width > 0 && rectOf(each).height > 0;
  return [closestLabel(element), ...labelsOf(element)].find((each) => each && shows(each)) || element;
};
// An element that is gone fails the call at once.
const standing = (ref) => {
  const element = elementOf(ref);
  if (!element) throw new Error('Element is not attached');
  return element;
};
const isOn = getter(HTMLInputElement, 'checked');
const upTo = method(Element, 'closest');
const closestLabel = (element) => upTo(element, 'label');
const valueIn = getter(HTMLInputElement, 'value');
const areaIn = getter(HTMLTextAreaElement, 'value');
const readIn = getter(HTMLElement, 'innerText');
const fire = method(EventTarget, 'dispatchEvent');
const textIn = (element) => {
  if (element instanceof HTMLInputElement) return valueIn(element);
  if (element instanceof HTMLTextAreaElement) return areaIn(element);
  return element instanceof HTMLElement ? readIn(element).trim() : '';
};
const holding = ({ ref, change }) => {
  const element = elementOf(ref);
  if (!element) return tell({ gone: true });
  const told = Boolean(change) && (change.text === undefined || change.text === textIn(element));
  if (told) fire(element, new Event('change', { bubbles: true, cancelable: true, composed: true }));
  const chosen = element instanceof HTMLSelectElement ? [...element.selectedOptions] : [];
  return tell({
    text: textIn(element), told,
    checked: element instanceof HTMLInputElement ? isOn(element) : null,
    options: chosen.slice(0, 500).map((each) => squeeze(each.label, 10000)),
  });
};
// Where an element stands, as shares of the window; nothing for what is not drawn there.
const shareOf = (element) => {
  const { left, top, right, bottom } = rectOf(element);
  const [width, height] = [window.innerWidth, window.innerHeight];
  if (right <= left || bottom <= top || right < 0 || bottom < 0 || left > width || top > height) return null;
  return [left / width, top / height, right / width, bottom / height];
};
// What fields and forms say of themselves beyond what is read of every element.
const TOLD = ['name', 'minlength', 'maxlength', 'min', 'max', 'pattern', 'method', 'action', 'aria-label', 'novalidate'];
const toldBy = (ref) => {
  const element = elementOf(ref);
  if (!element) return {};
  const found = {};
  for (const name of TOLD) if (has(element, name)) found[name] = said(element, name, 300);
  return found;
};
const answer = {
  told: ({ refs }) => tell({ told: Object.fromEntries(refs.map((ref) => [ref, toldBy(ref)])), type: doc.contentType }),
  holding,
  held: ({ ref }) => [standing(ref)],
  face: ({ ref }) => [faceOf(standing(ref))],
  read: () => tell(collect()),
  element: ({ ref }) => { const found = elementOf(ref); return found ? [found] : []; },
  text: ({ css, ref, most }) => {
    let start = bodyOf(doc) || htmlRoot(doc);
    try {
      if (ref) start = elementOf(ref);
      else if (css) start = findSeen(css);
    } catch (error) { return tell({ wrong: squeeze(String(error), 200) }); }
    if (!start || ((ref || css) && !isSeen(start))) return tell({ gone: true, suspects: { custom: css ? 1 : 0, plain: 0 } });
    const suspects = { custom: 0, plain: 0 };
    return tell({ text: readable(start, most, suspects), suspects });
  },
  holders: ({ values }) => holders(values),
  boxes: ({ values }) => tell({ boxes: holders(values).map(shareOf).filter(Boolean) }),
  examined: () => {
    for (const each of method(Document, 'querySelectorAll')(doc, '*')) kept.examined.add(each);
    return tell({});
  },
};
const ask = (selector) => {
  const { what, ...rest } = decode(selector);
  return answer[what](rest);
};
return { query: (root, selector) => ask(selector)[0] || null, queryAll: (root, selector) => ask(selector) };
