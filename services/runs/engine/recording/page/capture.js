(binding) => {
  // In a world of its own: the page sees neither this nor the binding, and cannot call it.
  if (globalThis.__guildhallCapture) return;
  globalThis.__guildhallCapture = true;
  const say = globalThis[binding];
  delete globalThis[binding];
  const numbers = new WeakMap();
  const secrets = new WeakSet();
  let last = 0;
  let enters = false;
  const clean = (text) => String(text || "").replace(/\s+/g, " ").trim().slice(0, 200);
  const tell = (said) => say(JSON.stringify(said));
  const number = (element) => {
    if (!numbers.has(element)) numbers.set(element, ++last);
    return numbers.get(element);
  };
  const isSecret = (element) => {
    const complete = element.getAttribute("autocomplete") || "";
    if (element.type === "password" || /password|one-time-code|cc-csc/.test(complete)) secrets.add(element);
    return secrets.has(element);
  };
  const named = (element) => {
    const root = element.getRootNode();
    const ids = (element.getAttribute("aria-labelledby") || "").split(/\s+/).filter(Boolean);
    const by = ids.map((id) => root.getElementById && root.getElementById(id)).filter(Boolean);
    const isField = /^(input|select|textarea)$/i.test(element.tagName);
    const isButton = isField && /^(submit|button|reset|image)$/.test(element.type);
    const labels = element.labels ? [...element.labels].map((label) => {
      const copy = label.cloneNode(true);
      copy.querySelectorAll("input,select,textarea").forEach((field) => field.remove());
      return copy.textContent;
    }) : [];
    return (
      clean(by.map((each) => each.textContent).join(" ")) ||
      clean(element.getAttribute("aria-label")) ||
      clean(labels.join(" ")) ||
      clean(isButton ? element.value || element.alt || element.type : "") ||
      clean(isField ? "" : element.innerText) ||
      clean(element.getAttribute("placeholder") || element.getAttribute("alt") || "") ||
      clean(element.getAttribute("title")) ||
      clean(isField ? "" : (element.querySelector("img[alt]") || { alt: "" }).alt) ||
      clean(element.getAttribute("name") || element.id || element.dataset.testid || "")
        .replace(/[-_]+/g, " ")
    );
  };
  const roles = { A: "link", BUTTON: "button", SELECT: "combobox", TEXTAREA: "textbox" };
  const about = (element, kind, more) => tell({
    k: kind, i: number(element), name: named(element),
    role: element.getAttribute("role") || roles[element.tagName] || "",
    ...more,
  });
  const actionable =
    "a[href],button,input,select,textarea,summary,option,label,[role=button],[role=link]," +
    "[role=tab],[role=menuitem],[role=option],[role=checkbox],[role=switch],[role=radio],[onclick]";
  const target = (event) => event.composedPath().find((one) => one instanceof Element);
  const acted = (event) => {
    const path = event.composedPath().filter((one) => one instanceof Element);
    return path.find((one) => one.matches(actionable)) || path[0];
  };
  const typed = (element) =>
    element.isContentEditable || element.tagName === "TEXTAREA" ||
    (element.tagName === "INPUT" &&
      !/^(submit|button|reset|image|checkbox|radio|file|color|range|hidden)$/.test(element.type));
  const on = (kind, hear) =>
    addEventListener(kind, (event) => { if (event.isTrusted) hear(event); }, true);
  on("click", (event) => {
    const element = acted(event);
    if (!element || typed(element) || /^(SELECT|OPTION)$/.test(element.tagName)) return;
    if (element.tagName === "INPUT" && /^(checkbox|radio|file)$/.test(element.type)) return;
    if (element.tagName === "LABEL" && element.control) return;
    if (event.detail === 0 && enters) return;
    about(element, event.detail === 2 ? "dblclick" : "click");
  });
  on("input", (event) => {
    const element = target(event);
    if (!element || !typed(element)) return;
    const secret = isSecret(element);
    const value = element.isContentEditable ? element.innerText : element.value;
    about(element, "fill", secret ? { secret: true } : { value: String(value).slice(0, 5000) });
  });
  on("change", (event) => {
    const element = target(event);
    if (!element) return;
    if (element.tagName === "SELECT") {
      const chosen = element.selectedOptions[0];
      if (chosen) about(element, "select", { value: clean(chosen.label || chosen.text) });
    } else if (element.type === "checkbox") about(element, element.checked ? "check" : "uncheck");
    else if (element.type === "radio") about(element, "click");
  });
  on("keydown", (event) => {
    const element = target(event);
    if (!element || event.isComposing || event.repeat) return;
    if (event.key === "Enter" && element.tagName === "INPUT" && typed(element)) {
      enters = true;
      tell({ k: "press", value: "Enter" });
    } else if (event.key === "Escape") tell({ k: "press", value: "Escape" });
  });
  on("keyup", (event) => { if (event.key === "Enter") enters = false; });
}
