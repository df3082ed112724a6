// What can be read in a document: hidden, clipped-away and transparent text is not (contract 4.2).
const readable = (start, most, suspects) => {
  const parts = [];
  let length = 0;
  let nodes = 0;
  const offPage = (element) => {
    const box = rectOf(element);
    return (box.width <= 1 && box.height <= 1 && box.width + box.height > 0) ||
      box.right + window.scrollX < 0 || box.bottom + window.scrollY < 0;
  };
  // A box of no height or width that cuts off what flows out of it, as a closed accordion has.
  const shut = (element, style) => {
    if (style.overflowX === 'visible' && style.overflowY === 'visible') return false;
    if (style.display === 'contents' || style.display === 'inline') return false;
    const box = rectOf(element);
    return box.width === 0 || box.height === 0;
  };
  const visit = (element, depth, cut) => {
    const tag = tagOf(element).toUpperCase();
    if (UNSEEN.has(tag) || depth > 600 || length > most || ++nodes > 80000) return;
    const style = styleOf(element);
    if (style.display === 'none' || Number(style.opacity) === 0) return;
    if (style.display !== 'contents' && !isRendered(element)) return;
    suspect(element, tag, true, suspects);
    const apart = !style.display.startsWith('inline') || tag === 'BR';
    if (apart) parts.push('\n');
    if (!/^(TEXTAREA|SELECT|INPUT|IFRAME|FRAME|SVG|CANVAS|VIDEO|AUDIO|OBJECT)$/.test(tag)) {
      const apartFromIt = style.position === 'absolute' || style.position === 'fixed';
      const cutHere = (cut && !apartFromIt) || shut(element, style);
      const shows = style.visibility === 'visible' && !cutHere;
      let looked = null;
      for (const node of drawnChildren(element)) {
        const type = nodeTypeOf(node);
        if (type === TEXT) {
          if (!shows) continue;
          const text = dataOf(node);
          if (!text.trim()) { parts.push(' '); continue; }
          looked ??= style.display !== 'contents' && offPage(element);
          if (looked) continue;
          parts.push(text.slice(0, most));
          length += text.length;
        } else if (type === ELEMENT) visit(node, depth + 1, cutHere);
      }
    }
    if (apart) parts.push('\n');
  };
  visit(start, 0, false);
  return squeeze(parts.join(''), most);
};
const isSeen = (element) => {
  for (let node = element; node instanceof Element; node = drawnParent(node)) {
    if (Number(styleOf(node).opacity) === 0) return false;
  }
  const box = rectOf(element);
  return isDrawn(element) && box.width > 0 && box.height > 0;
};
const findSeen = (css) => {
  const all = method(Document, 'querySelectorAll')(doc, css);
  for (const each of [...all].slice(0, 1000)) if (isSeen(each)) return each;
  let found = null;
  const look = (root, depth) => {
    for (const each of root.querySelectorAll('*')) {
      const inner = rootIn(each);
      if (inner && depth < 20 && !found) {
        for (const hit of inner.querySelectorAll(css)) if (!found && isSeen(hit)) found = hit;
        look(inner, depth + 1);
      }
    }
  };
  look(doc, 0);
  return found;
};
// Fields and texts that hold a secret, to be covered in pictures.
const holders = (values) => {
  const long = values.filter((each) => each.length >= 4);
  const found = [];
  let nodes = 0;
  const visit = (element, depth) => {
    const tag = tagOf(element).toUpperCase();
    if (UNSEEN.has(tag) || depth > 600 || ++nodes > 60000 || found.length > 500) return;
    if (tag === 'INPUT' || tag === 'TEXTAREA') {
      const value = String(element.value);
      if ((tag === 'INPUT' && typeOf(element) === 'password') || values.includes(value) ||
          long.some((each) => value.includes(each))) found.push(element);
      return;
    }
    let text = '';
    for (const node of drawnChildren(element)) {
      const type = nodeTypeOf(node);
      if (type === TEXT) text += dataOf(node);
      else if (type === ELEMENT) visit(node, depth + 1);
    }
    if (text && long.some((each) => text.includes(each))) found.push(element);
  };
  const root = bodyOf(doc);
  if (root) visit(root, 0);
  return found;
};
