// Everything in a document that a step could mean, in one tick (contract 5.2).
const LIMITS = { nodes: 60000, depth: 600, active: 2500, other: 2500, hidden: 400, ms: 1500 };
const OTHER = new Set(
  (
    'alert alertdialog article cell columnheader dialog form gridcell group heading img listitem ' +
    'log navigation progressbar region row rowheader search status table tabpanel tooltip list ' +
    'menu toolbar timer tree grid figure banner contentinfo complementary main'
  ).split(' '),
);
const LANDMARKS = {
  banner: 'header', navigation: 'nav', main: 'main', complementary: 'sidebar',
  contentinfo: 'footer', search: 'search',
};
const GROUPS = new Set(
  'dialog alertdialog form group region table navigation tabpanel article search list menu'.split(' '),
);
const SCOPES = new Set(
  'dialog alertdialog form group region article listitem navigation main complementary row'.split(' '),
);
const FIELDS = new Set(['INPUT', 'TEXTAREA', 'SELECT']);
const CARD = /(^|[-_\s])(card|item|row|tile|product|entry|post)([-_\s]|$)/i;
const SIDEBAR = /(^|[-_\s])(sidebar|side-bar|sidenav|drawer)([-_\s]|$)/i;
const DISABLES = new Set(['BUTTON', 'INPUT', 'SELECT', 'TEXTAREA', 'OPTION', 'FIELDSET']);
const yes = (element, name) => (attribute(element, name) || '').toLowerCase() === 'true';

const topDialog = () => {
  let modal = null;
  const query = method(Document, 'querySelectorAll');
  let shown = null;
  for (const each of [...query(doc, 'dialog[open],[role=dialog],[role=alertdialog]')].slice(-50)) {
    if (!isDrawn(each) || attribute(each, 'aria-hidden') === 'true') continue;
    if (matches(each, ':modal')) modal = each;
    const box = rectOf(each);
    if (!box.width || !box.height) continue;
    const at = method(Document, 'elementFromPoint')(doc, box.x + box.width / 2, box.y + box.height / 2);
    if (!shown || (at && method(Node, 'contains')(each, at))) shown = each;
  }
  return { top: modal || shown, modal };
};

const ownText = (element) => {
  let text = '';
  for (const node of drawnChildren(element)) {
    if (nodeTypeOf(node) === TEXT && text.length < 2000) text += ` ${dataOf(node).slice(0, 2000)}`;
  }
  return squeeze(text, 300);
};
const groupName = (element, tag) => {
  const direct = saidBy(element, 'aria-labelledby') || said(element, 'aria-label') || nativeLabel(element, tag);
  if (direct) return direct;
  const heading = findIn(element, 'h1,h2,h3,h4,h5,h6,[role=heading]');
  return heading ? textBelow(heading, 120) : '';
};
// Which of its kind a child is; counted once for each parent and reading.
const places = {
  known: new Map(),
  of(parent, node) {
    let found = this.known.get(parent);
    if (!found) {
      found = new Map();
      const counts = new Map();
      for (const child of childrenOf(parent)) {
        if (nodeTypeOf(child) !== ELEMENT) continue;
        const tag = tagOf(child).toLowerCase();
        counts.set(tag, (counts.get(tag) || 0) + 1);
        found.set(child, counts.get(tag));
      }
      this.known.set(parent, found);
    }
    return found.get(node) || 1;
  },
};
const cssOf = (element) => {
  const parts = [];
  let node = element;
  for (let steps = 0; steps < 8; steps++) {
    const id = attribute(node, 'id');
    if (id && id.length < 80 && !/\d{4,}|[:\s]/.test(id)) {
      parts.unshift(`#${CSS.escape(id)}`);
      break;
    }
    const tag = tagOf(node).toLowerCase();
    const parent = parentOf(node);
    if (!(parent instanceof Element)) { parts.unshift(tag); break; }
    parts.unshift(`${CSS.escape(tag)}:nth-of-type(${places.of(parent, node)})`);
    node = parent;
  }
  return parts.join(' > ');
};
const effectOf = (element, tag, form) => {
  const type = tag === 'BUTTON' ? (attribute(element, 'type') || 'submit').toLowerCase() : typeOf(element);
  if (form && (type === 'submit' || type === 'image') && (tag === 'BUTTON' || tag === 'INPUT')) {
    const to = attribute(element, 'formaction') || attribute(form, 'action') || '';
    const what = `${attribute(element, 'name') || ''}=${attribute(element, 'value') || ''}`;
    return squeeze(`submit ${nameFor(form)} ${to} ${what}`, 300);
  }
  const code = attribute(element, 'onclick') || '';
  return code && !/\bthis\b|\bevent\b/.test(code) ? squeeze(`onclick ${code}`, 300) : '';
};
const valueOf = (element, tag, role) => {
  if (tag === 'INPUT') {
    if (typeOf(element) === 'password') return element.value ? '\u2022\u2022\u2022\u2022' : '';
    return ['checkbox', 'radio', 'button', 'file'].includes(role) ? '' : String(element.value).slice(0, 500);
  }
  if (tag === 'TEXTAREA') return String(element.value).slice(0, 500);
  if (tag === 'SELECT') {
    return [...element.selectedOptions].slice(0, 20).map((each) => squeeze(each.label, 100)).join(', ');
  }
  return role === 'textbox' || role === 'combobox' ? textBelow(element, 500) : '';
};
const checkedOf = (element, tag, role) => {
  if (tag === 'INPUT' && (role === 'checkbox' || role === 'radio' || role === 'switch')) return element.checked;
  for (const name of ['aria-checked', 'aria-selected', 'aria-pressed']) {
    const text = attribute(element, name);
    if (text !== null) return text === 'true';
  }
  return null;
};

const collect = () => {
  const began = performance.now();
  places.known.clear();
  labels.clear();
  const out = [];
  const counts = { nodes: 0, active: 0, other: 0, hidden: 0 };
  const suspects = { custom: 0, plain: 0 };
  const { top, modal } = topDialog();
  const focus = focusOf(doc);
  const primaries = new Set();
  const frames = [];
  let truncated = false;
  let heading = '';
  let before = '';
  const rowTexts = new Map();
  const rows = [];
  const rowText = (row) => {
    if (!rowTexts.has(row)) rowTexts.set(row, rows.push(textBelow(row, 300)) - 1);
    return rowTexts.get(row);
  };

  const labelled = (element) => labelsOf(element).some((each) => isDrawn(each) && rectOf(each).width > 1);
  const boxOf = (element) => {
    let box = rectOf(element);
    if (!box.width || !box.height) {
      for (const child of drawnChildren(element)) {
        if (nodeTypeOf(child) !== ELEMENT) continue;
        const inner = rectOf(child);
        if (inner.width && inner.height) { box = inner; break; }
      }
    }
    return box;
  };
  const emit = (element, tag, role, context, extra) => {
    const isActive = ACTIVE.has(role);
    const kind = context.drawn ? (isActive ? 'active' : 'other') : 'hidden';
    if (counts[kind] >= LIMITS[kind]) { truncated ||= kind !== 'hidden'; return null; }
    const sources = sourcesOf(element, tag, role);
    const name = extra.name ?? nameOf(sources, role);
    if (!name && !isActive && role !== 'row' && role !== 'dialog' && role !== 'alert' && role !== 'status' &&
        role !== 'form' && role !== 'list' && role !== 'menu' && role !== 'img' && role !== 'table' && role !== 'cell' && role !== 'listitem') return null;
    const box = boxOf(element);
    let visible = context.drawn && box.width > 0 && box.height > 0;
    const tiny = box.width < 2 || box.height < 2 || box.right + window.scrollX <= 0 || box.bottom + window.scrollY <= 0;
    if (role === 'checkbox' || role === 'radio' || role === 'switch' || role === 'file') {
      visible = (visible && !tiny) || labelled(element) || (role === 'file' && context.around);
    } else if (tiny && role !== 'link') visible = false;
    counts[kind]++;
    const inertHere = context.inert || (modal !== null && !context.inTop);
    const disabled = (DISABLES.has(tag) && matches(element, ':disabled')) || yes(element, 'aria-disabled') || inertHere;
    const readonly = has(element, 'readonly') || yes(element, 'aria-readonly');
    const text = role === 'textbox' || role === 'searchbox' || role === 'spinbutton' || role === 'combobox';
    const form = Reflect.get(element, 'form') instanceof HTMLFormElement ? Reflect.get(element, 'form') : context.form;
    const item = {
      r: nameFor(element), o: role, n: name, s: sources, t: tag.toLowerCase(),
      b: [Math.round(box.x * 10) / 10, Math.round(box.y * 10) / 10, Math.round(box.width * 10) / 10, Math.round(box.height * 10) / 10],
    };
    const keep = (key, value) => { if (value) item[key] = value; };
    keep('hi', !visible);
    keep('di', disabled);
    keep('ed', text && !disabled && !readonly && tag !== 'SELECT' && (FIELDS.has(tag) || isEditing(element)));
    keep('ac', isActive);
    keep('d', saidBy(element, 'aria-describedby'));
    if (isActive || extra.takes) item.c = cssOf(element);
    if (isActive) {
      keep('v', valueOf(element, tag, role));
      if (tag === 'INPUT') item.ty = typeOf(element);
      keep('au', said(element, 'autocomplete', 60));
      if (role === 'link' && element.href) item.h = squeeze(String(element.href.animVal ?? element.href), 2000);
      keep('e', effectOf(element, tag, form));
      keep('rq', has(element, 'required') || yes(element, 'aria-required'));
      if (tag === 'SELECT') item.op = [...element.options].slice(0, 200).map((each) => squeeze(each.label, 100));
      const opened = attribute(element, 'aria-expanded');
      if (opened !== null) item.ex = opened === 'true';
      const isSubmit = item.e && item.e.startsWith('submit ');
      if (isSubmit && visible && !primaries.has(form)) { primaries.add(form); item.p = true; }
    }
    const checked = checkedOf(element, tag, role);
    if (checked !== null) item.ch = checked;
    keep('iv', yes(element, 'aria-invalid') || (FIELDS.has(tag) && matches(element, ':user-invalid')));
    keep('f', focus === element);
    keep('vp', box.bottom > 0 && box.right > 0 && box.top < window.innerHeight && box.left < window.innerWidth);
    keep('td', context.inTop);
    keep('l', context.landmark);
    keep('fo', form ? nameFor(form) : '');
    if (context.row) {
      item.rt = rowText(context.row);
      item.ro = nameFor(context.row);
    }
    keep('hd', heading);
    keep('nb', before);
    keep('w', context.within);
    if (context.groups.length) item.g = context.groups;
    if (role === 'heading') item.lv = Number(attribute(element, 'aria-level')) || Number(tag[1]) || 2;
    out.push(item);
    return item;
  };

  const visit = (element, context, depth) => {
    const tag = tagOf(element).toUpperCase();
    if (UNSEEN.has(tag)) return;
    if (++counts.nodes > LIMITS.nodes || depth > LIMITS.depth) { truncated = true; return; }
    if (counts.nodes % 256 === 0 && performance.now() - began > LIMITS.ms) counts.nodes = LIMITS.nodes;
    if (tag === 'IFRAME' || tag === 'FRAME') { frames.push([element, context]); return; }
    const drawn = context.drawn ? isDrawn(element) || styleOf(element).visibility === 'hidden' : false;
    const shown = drawn && isDrawn(element);
    suspect(element, tag, shown, suspects);
    let role = roleOf(element, tag);
    const hushed = context.hushed || attribute(element, 'aria-hidden') === 'true';
    const inTop = context.inTop || element === top;
    const here = {
      ...context, drawn: context.drawn && drawn, hushed, inTop,
      inert: context.inert || has(element, 'inert'), around: context.drawn,
    };
    const pointer = shown && styleOf(element).cursor === 'pointer';
    here.pointer = pointer;
    const active = ACTIVE.has(role);
    if (!active && !context.within && tag !== 'LABEL' && tag !== 'BODY' && tag !== 'HTML' &&
        ((pointer && !context.pointer) || has(element, 'onclick') ||
         (has(element, 'tabindex') && Number(attribute(element, 'tabindex')) >= 0 && !OTHER.has(role)))) {
      if (!OTHER.has(role) || role === 'listitem' || role === 'cell' || role === 'img') role = 'clickable';
      else here.takes = true;
    }
    const heard = heading;
    if (role === 'dialog' || role === 'alertdialog') heading = '';
    const kind = LANDMARKS[role] || (SIDEBAR.test(attribute(element, 'class') || '') ? 'sidebar' : '');
    if (kind && !context.landmark.split(' ').includes(kind)) here.landmark = `${kind} ${context.landmark}`.trim();
    if (tag === 'FORM') here.form = element;
    const isRow = role === 'row' || role === 'listitem' || (role === 'clickable' && tag === 'LI') || role === 'article' ||
      (/^(DIV|ARTICLE|SECTION|A)$/.test(tag) && CARD.test(attribute(element, 'class') || '') && drawnChildren(element).length > 1);
    if (isRow && !(context.row && tagOf(context.row).toUpperCase() === 'TR')) here.row = element;
    let item = null;
    if ((active || role === 'clickable' || OTHER.has(role)) && !(context.within && !active)) {
      const emitted = { ...here, drawn: shown };
      if (GROUPS.has(role)) item = emit(element, tag, role, emitted, { name: groupName(element, tag) });
      else item = emit(element, tag, role, emitted, { takes: here.takes });
      if (item && here.takes) item.ac = true;
    }
    if (GROUPS.has(role)) {
      const name = item ? item.n : groupName(element, tag);
      if (name) here.groups = [name, ...context.groups].slice(0, 6);
    }
    const labels = tag === 'LABEL' && Reflect.get(element, 'control');
    if (!item && !context.within && !hushed && role !== 'clickable' && tag !== 'OPTION' && !labels) {
      const text = ownText(element);
      if (text && context.told !== text) {
        item = emit(element, tag, 'text', { ...here, drawn: shown }, { name: textBelow(element, 200) || text.slice(0, 200) });
      }
    }
    if (item) {
      if (ACTIVE.has(item.o)) here.within = item.r;
      if (item.n && (BY_CONTENT.has(item.o) || item.o === 'text')) here.told = item.n;
      if (item.o === 'heading') heading = item.n;
    }
    if (tag === 'SELECT' || tag === 'SVG') return;
    for (const node of drawnChildren(element)) {
      const type = nodeTypeOf(node);
      if (type === TEXT) {
        if (shown) before = squeeze(dataOf(node), 120) || before;
      } else if (type === ELEMENT) visit(node, here, depth + 1);
    }
    if (SCOPES.has(role)) heading = heard;
  };

  const start = {
    drawn: true, hushed: false, inTop: false, inert: false, landmark: '', form: null, row: null,
    within: '', groups: [], told: '', pointer: false, around: true,
  };
  const root = bodyOf(doc) || htmlRoot(doc);
  if (root) visit(root, start, 0);
  return {
    url: String(window.location.href).slice(0, 4000), title: squeeze(doc.title || '', 500), state: stateOf(doc), out, rows, truncated, suspects,
    ms: Math.round(performance.now() - began), nodes: counts.nodes,
    frames: frames.map(([element, context]) => {
      const box = rectOf(element);
      return { src: said(element, 'src', 500), name: said(element, 'name'), ref: nameFor(element), b: [box.x, box.y, box.width, box.height],
        drawn: context.drawn && isDrawn(element) && box.width > 1 && box.height > 1, td: context.inTop, groups: context.groups };
    }).slice(0, 60),
    place: placeOfFrame(),
  };
};
// Where this document's frame stands in the page, as far as its own origin lets it see.
const placeOfFrame = () => {
  let x = 0;
  let y = 0;
  let seen = true;
  let here = window;
  try {
    for (let steps = 0; here !== here.parent && steps < 20; steps++) {
      const element = here.frameElement;
      if (!element) return null;
      const box = element.getBoundingClientRect();
      x += box.x + element.clientLeft;
      y += box.y + element.clientTop;
      seen = seen && element.checkVisibility({ visibilityProperty: true }) && box.width > 1 && box.height > 1;
      here = here.parent;
    }
  } catch { return null; }
  return { x, y, seen };
};
