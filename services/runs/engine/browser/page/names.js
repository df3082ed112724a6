// Roles and accessible names (contract 5.2).
const ROLES = new Set(
  (
    'alert alertdialog article banner button cell checkbox columnheader combobox complementary ' +
    'contentinfo dialog feed figure form grid gridcell group heading img link list listbox ' +
    'listitem log main menu menubar menuitem menuitemcheckbox menuitemradio navigation option ' +
    'progressbar radio radiogroup region row rowheader search searchbox separator slider ' +
    'spinbutton status switch tab table tablist tabpanel textbox timer toolbar tooltip tree ' +
    'treeitem'
  ).split(' '),
);
const ACTIVE = new Set(
  (
    'button checkbox combobox file link listbox menuitem menuitemcheckbox menuitemradio option ' +
    'radio searchbox slider spinbutton switch tab textbox treeitem clickable'
  ).split(' '),
);
// Roles whose elements are named by what stands in them.
const BY_CONTENT = new Set(
  (
    'button cell checkbox columnheader gridcell heading link menuitem menuitemcheckbox ' +
    'menuitemradio option radio row rowheader switch tab tooltip treeitem clickable text ' +
    'listitem alert status log alertdialog'
  ).split(' '),
);
const BY_TAG = {
  BUTTON: 'button', SUMMARY: 'button', TEXTAREA: 'textbox', TABLE: 'table', TR: 'row', TD: 'cell',
  TH: 'columnheader', UL: 'list', OL: 'list', LI: 'listitem', NAV: 'navigation', MAIN: 'main',
  ASIDE: 'complementary', FORM: 'form', DIALOG: 'dialog', FIELDSET: 'group', PROGRESS: 'progressbar',
  OUTPUT: 'status', ARTICLE: 'article', SECTION: 'region', H1: 'heading', H2: 'heading',
  H3: 'heading', H4: 'heading', H5: 'heading', H6: 'heading', SEARCH: 'search', FIGURE: 'figure',
};
const BY_TYPE = {
  button: 'button', submit: 'button', reset: 'button', image: 'button', checkbox: 'checkbox',
  radio: 'radio', range: 'slider', number: 'spinbutton', search: 'searchbox', file: 'file',
  color: 'textbox', hidden: '',
};
const SECTIONING = 'article,aside,main,nav,section';
const typeOf = (element) => (attribute(element, 'type') || 'text').toLowerCase().slice(0, 20);
const isEditing = (element) => {
  const editable = attribute(element, 'contenteditable');
  return editable !== null && editable.toLowerCase() !== 'false';
};

const roleOf = (element, tag) => {
  for (const word of (attribute(element, 'role') || '').toLowerCase().split(/\s+/).slice(0, 5)) {
    if (ROLES.has(word)) return word === 'textbox' && tag === 'INPUT' ? byType(element) : word;
    if (word === 'none' || word === 'presentation' || word === 'generic') break;
  }
  if (tag === 'INPUT') return byType(element);
  if (tag === 'A' || tag === 'AREA') return has(element, 'href') ? 'link' : '';
  if (tag === 'SELECT') {
    return has(element, 'multiple') || Number(attribute(element, 'size')) > 1 ? 'listbox' : 'combobox';
  }
  if (tag === 'IMG') return attribute(element, 'alt') === '' ? '' : 'img';
  if (tag === 'SVG') return has(element, 'aria-label') ? 'img' : '';
  if (isEditing(element)) return 'textbox';
  if (tag === 'HEADER' || tag === 'FOOTER') {
    if (parentOf(element) instanceof Element && method(Element, 'closest')(element, SECTIONING)) return '';
    return tag === 'HEADER' ? 'banner' : 'contentinfo';
  }
  return BY_TAG[tag] || '';
};
const byType = (element) => {
  const role = BY_TYPE[typeOf(element)];
  if (role === undefined) return has(element, 'list') ? 'combobox' : 'textbox';
  return role;
};

const named = (element, ids) => {
  const root = rootOf(element);
  const look = root instanceof ShadowRoot ? byIdIn : byId;
  if (!(root instanceof ShadowRoot || root instanceof Document)) return [];
  const words = ids.split(/\s+/).filter(Boolean).slice(0, 10);
  return words.map((id) => look(root, id)).filter(Boolean);
};
const saidBy = (element, name) => {
  const ids = attribute(element, name);
  if (!ids) return '';
  return squeeze(named(element, ids).map((each) => said(each, 'aria-label') || textBelow(each, 200)).join(' '), 200);
};
// Labels by their control, found once for each tree and reading: asking each control for its own
// goes through the whole document each time.
const labels = new Map();
const labelsOf = (element) => {
  const root = rootOf(element);
  let found = labels.get(root);
  if (!found) {
    found = new Map();
    labels.set(root, found);
    const query = root instanceof Document ? method(Document, 'querySelectorAll')
      : root instanceof ShadowRoot ? method(DocumentFragment, 'querySelectorAll') : null;
    for (const label of query ? query(root, 'label') : []) {
      const control = Reflect.get(label, 'control');
      if (control) found.set(control, [...(found.get(control) || []), label].slice(0, 5));
    }
  }
  return found.get(element) || [];
};
const nativeLabel = (element, tag) => {
  const texts = labelsOf(element).map((label) => textBelow(label, 200));
  if (texts.length) return squeeze(texts.join(' '), 200);
  const inner = { FIELDSET: 'legend', TABLE: 'caption', FIGURE: 'figcaption' }[tag];
  const found = inner && findIn(element, inner);
  return found ? textBelow(found, 200) : '';
};

const sourcesOf = (element, tag, role) => {
  const found = {};
  const keep = (source, text) => { if (text) found[source] = text; };
  keep('labelledby', saidBy(element, 'aria-labelledby'));
  keep('aria', said(element, 'aria-label'));
  if (tag === 'INPUT' && (role === 'button' || typeOf(element) === 'image')) {
    const fallback = { submit: 'Submit', reset: 'Reset' }[typeOf(element)] || '';
    keep('content', said(element, 'value') || said(element, 'alt') || fallback);
  } else keep('label', nativeLabel(element, tag));
  keep('alt', said(element, 'alt'));
  keep('placeholder', said(element, 'placeholder') || said(element, 'aria-placeholder'));
  keep('title', said(element, 'title'));
  if (BY_CONTENT.has(role)) keep('content', textBelow(element, 200));
  keep('name', said(element, 'name', 100));
  keep('id', said(element, 'id', 100));
  for (const name of ['data-testid', 'data-test', 'data-test-id', 'data-cy', 'data-qa']) {
    const text = said(element, name, 100);
    if (text) { found.test_id = text; break; }
  }
  return found;
};
const nameOf = (sources, role) => {
  const first = sources.labelledby || sources.aria || sources.label;
  if (BY_CONTENT.has(role)) return first || sources.alt || sources.content || sources.title || '';
  return first || sources.alt || sources.placeholder || sources.title || sources.content || '';
};
