"use strict";
(() => {
  const home = location.pathname;
  const at = (id) => document.getElementById(id);
  const screen = at("screen");
  // Out of the address bar and the history; a reload finds it in this tab alone.
  let ticket = location.hash.slice(1) || sessionStorage.getItem(home) || "";
  const keep = (given) => { ticket = given; sessionStorage.setItem(home, given); };
  keep(ticket);
  if (location.hash) history.replaceState(null, "", home);

  let isOver = false;
  let waiting = [];
  let isSending = false;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const fault = (text) => { at("fault").textContent = text; at("fault").hidden = !text; };

  async function ask(path, body) {
    const headers = { "x-recording-ticket": ticket };
    const options = { headers, cache: "no-store", credentials: "omit" };
    if (body) {
      options.method = "POST";
      options.body = JSON.stringify(body);
      headers["content-type"] = "application/json";
    }
    const answer = await fetch(home + path, options);
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const error = new Error(told.detail || "The server gave no answer.");
      error.status = answer.status;
      throw error;
    }
    return told;
  }

  const words = { starting: "Starting…", recording: "Recording", stopped: "Stopped", error: "Failed" };
  function over(text) {
    isOver = true;
    for (const id of ["back", "reload", "address"]) at(id).disabled = true;
    screen.removeAttribute("tabindex");
    at("hint").hidden = true;
    if (text) fault(text);
  }
  function show(seen) {
    at("status").textContent = words[seen.status];
    at("status").className = seen.status;
    if (seen.ticket) keep(seen.ticket);
    if (Number.isInteger(seen.action_count)) {
      at("count").textContent = seen.action_count === 1 ? "1 action" : `${seen.action_count} actions`;
    }
    if (seen.jpeg) {
      screen.src = "data:image/jpeg;base64," + seen.jpeg;
      screen.dataset.width = seen.width;
      screen.dataset.height = seen.height;
      screen.hidden = false;
    }
    if (seen.url && document.activeElement !== at("address")) at("address").value = seen.url;
  }
  async function watch() {
    let n = 0;
    while (!isOver) {
      try {
        const seen = await ask(`/picture?after=${n}&wait=10`);
        n = seen.n;
        show(seen);
        fault("");
        if (seen.status === "error") { over(seen.error); at("stop").disabled = true; }
        else if (seen.status === "stopped") { over(""); await stop(); }
      } catch (error) {
        if (error.status === 401) return over("This page has expired. Begin or stop the recording from where it was started.");
        if (error.status === 404) return over("This recording is not known any more.");
        fault("The connection is interrupted; trying again…");
        await pause(1500);
      }
    }
  }

  function act(input) {
    if (isOver) return;
    const last = waiting[waiting.length - 1];
    if (last && input.do === "text" && last.do === "text") last.text += input.text;
    else if (last && input.do === "scroll" && last.do === "scroll") { last.dx += input.dx; last.dy += input.dy; }
    else waiting.push(input);
    send();
  }
  async function send() {
    if (isSending) return;
    isSending = true;
    try {
      while (waiting.length) {
        await pause(15);
        const inputs = waiting.splice(0, 100);
        await ask("/input", { inputs });
      }
    } catch (error) {
      waiting = [];
      if (!isOver) fault(error.message);
    } finally {
      isSending = false;
    }
  }
  async function stop(body) {
    at("stop").disabled = true;
    while (isSending) await pause(30);
    try {
      const made = await ask("/stop", body || {});
      over("");
      fault("");
      at("yaml").textContent = made.yaml;
      at("notes").textContent = made.saved_as ? `Saved as ${made.saved_as}.` : (made.warnings || []).join("; ");
      at("result").hidden = false;
      screen.hidden = true;
      at("status").textContent = words.stopped;
      at("status").className = "stopped";
      return made;
    } catch (error) {
      fault(error.message);
      at("stop").disabled = false;
      return null;
    }
  }

  function place(event) {
    const box = screen.getBoundingClientRect();
    const scale = (value, size, of) => Math.min(Math.max(value / size, 0), 1) * of;
    return {
      x: scale(event.clientX - box.left, box.width, Number(screen.dataset.width)),
      y: scale(event.clientY - box.top, box.height, Number(screen.dataset.height)),
    };
  }
  const named = /^(Enter|Backspace|Tab|Escape|Delete|Home|End|PageUp|PageDown|Arrow(Up|Down|Left|Right)|F\d{1,2})$/;
  screen.addEventListener("click", (event) => {
    screen.focus({ preventScroll: true });
    act({ do: "click", ...place(event), count: Math.min(Math.max(event.detail, 1), 3) });
  });
  screen.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    act({ do: "right_click", ...place(event) });
  });
  screen.addEventListener("dragstart", (event) => event.preventDefault());
  screen.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 40 : 1;
    act({ do: "scroll", ...place(event), dx: event.deltaX * lines, dy: event.deltaY * lines });
  }, { passive: false });
  screen.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const isChord = event.ctrlKey || event.metaKey;
    if (isChord && event.key.toLowerCase() === "v") return;  // it is pasted
    if (event.key.length === 1 && !isChord && !event.altKey) act({ do: "text", text: event.key });
    else if (named.test(event.key) || (event.key.length === 1 && isChord)) {
      const held = [isChord && "Control", event.altKey && "Alt", event.shiftKey && "Shift"];
      act({ do: "key", key: [...held.filter(Boolean), event.key].join("+") });
    } else return;
    event.preventDefault();
  });
  document.addEventListener("paste", (event) => {
    if (document.activeElement !== screen) return;
    const text = event.clipboardData.getData("text/plain").slice(0, 5000);
    if (text) act({ do: "text", text });
  });
  at("back").addEventListener("click", () => act({ do: "back" }));
  at("reload").addEventListener("click", () => act({ do: "reload" }));
  at("address").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const given = at("address").value.trim();
    if (given) act({ do: "goto", url: /^https?:/i.test(given) ? given : `https://${given}` });
    screen.focus({ preventScroll: true });
  });
  at("stop").addEventListener("click", () => stop());
  at("save").addEventListener("click", async () => {
    const name = at("name").value.trim();
    if (!name) return at("name").focus();
    at("save").disabled = true;
    const made = await stop({ title: name, save_as: name });
    at("save").disabled = made !== null;
  });
  at("copy").addEventListener("click", () => navigator.clipboard.writeText(at("yaml").textContent));
  watch();
})();
