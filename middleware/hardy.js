// hardy.js: what a page that calls with fetch or htmx does when its session has ended, or is locked.
// It fires "hardy:expired" or "hardy:locked" on the document, and opens a dialog unless a listener calls preventDefault.
(() => {
  "use strict";
  if (window.fetch.hardy) return; // included twice

  const settings = document.currentScript?.dataset ?? {};
  const resetPath = settings.reset || "/hardy/reset";
  const send = window.fetch;

  // WWW-Authenticate may hold other challenges beside ours.
  const refusal = /(?:^|,)\s*Session error="(?:(expired)"(?:, reason="([a-z]*)")?|locked"(?:, unlock="([^"]*)")?)/;

  async function fetch(...args) {
    const began = performance.now();
    const response = await send.apply(window, args);
    const challenge = response.status === 401 && ours(response) && refusal.exec(response.headers.get("WWW-Authenticate") ?? "");
    if (challenge && !byHtmx(args)) {
      const [, expired, reason = "", unlock = ""] = challenge;
      const detail = expired ? { reason, response, reset: () => reset(began) } : { unlock: withNext(unlock), response };
      copies.set(detail, response.clone()); // the page may read the other one
      announce(expired ? "hardy:expired" : "hardy:locked", detail);
    }
    return response;
  }
  fetch.hardy = true;
  window.fetch = fetch;

  function ours(response) {
    return response.type === "basic" && new URL(response.url, location.href).origin === location.origin;
  }

  // htmx fires the event itself, by HX-Trigger.
  function byHtmx([input, init]) {
    return new Headers(init?.headers ?? input?.headers ?? {}).has("HX-Request");
  }

  function announce(name, detail) {
    document.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, cancelable: true }));
  }

  // withNext adds the way back to this page.
  function withNext(path) {
    const to = new URL(path, location.href);
    if (to.pathname !== location.pathname) to.searchParams.set("next", location.pathname + location.search);
    return to.pathname + to.search;
  }

  document.addEventListener("hardy:expired", (event) => {
    const began = performance.now();
    const detail = event.detail ?? {};
    detail.reset ??= () => reset(began);
    orElse(event, () => open(detail, ended()));
  }, true);

  document.addEventListener("hardy:locked", (event) => {
    orElse(event, () => open(event.detail, locked(event.detail)));
  }, true);

  // After all listeners, wherever they are.
  function orElse(event, act) {
    setTimeout(() => {
      if (!event.defaultPrevented) act();
    });
  }

  let resetting = null;
  let lastReset = -1;

  // reset starts over. Calls that were under way together need one reset: a late second answer could clear the
  // cookie of the session that began after the first.
  async function reset(began) {
    if (lastReset > began) return;
    resetting ??= post().finally(() => { resetting = null; });
    await resetting;
  }

  async function post() {
    const response = await send.call(window, resetPath, {
      method: "POST",
      credentials: "same-origin",
      redirect: "error",
      headers: { Accept: "application/json" },
    });
    if (!response.ok) throw new Error(`hardy.js: POST ${resetPath} answered ${response.status}; is middleware.ResetHandler mounted there?`);
    lastReset = performance.now();
  }

  // A page that the back button brings out of the browser's memory may be of a session that has ended since.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  const copies = new WeakMap(); // detail → answer
  let dialog = null;

  // ended and locked are what the two dialogs say, and their way on.
  function ended() {
    const button = element("button", "", settings.button || "Refresh now");
    button.type = "button";
    button.addEventListener("click", () => refresh(button));
    return { name: "hardy-expired", title: settings.title || "Your session has ended", text: settings.text, act: button };
  }

  function locked({ unlock }) {
    const link = element("a", "", settings.lockedButton || "Unlock"); // a link can be opened in another tab: this page stays as it is
    link.href = unlock;
    return { name: "hardy-locked", title: settings.lockedTitle || "Your session is locked", text: settings.lockedText, act: link };
  }

  async function open(detail, { name, title, text, act }) {
    if (dialog) return;
    dialog = document.createElement("dialog");
    dialog.className = "hardy-dialog " + name;
    dialog.setAttribute("role", "alertdialog");
    dialog.setAttribute("aria-labelledby", name + "-title");
    dialog.setAttribute("aria-describedby", name + "-text");
    text ||= await sentence(copies.get(detail));
    act.autofocus = true;
    dialog.append(element("h2", name + "-title", title), element("p", name + "-text", text), act);
    dialog.addEventListener("close", close);
    dress();
    const focused = document.activeElement;
    (document.body ?? document.documentElement).append(dialog);
    dialog.showModal();

    function close() { // by Escape
      dialog.remove();
      dialog = null;
      focused?.focus?.({ preventScroll: true });
    }
  }

  async function refresh(button) {
    button.disabled = true;
    if (settings.reset) {
      await reset(performance.now()).catch((err) => console.error(err));
    }
    location.reload();
  }

  // The server says why in a sentence.
  async function sentence(response) {
    const known = "The session is no longer available.";
    if (!response?.headers.get("Content-Type")?.startsWith("application/problem+json")) return known;
    try {
      return (await response.json()).detail || known;
    } catch {
      return known;
    }
  }

  function element(name, id, text) {
    const e = document.createElement(name);
    if (id) e.id = id;
    e.textContent = text;
    return e;
  }

  // A constructed sheet is no inline style: style-src may be 'self', or 'none'.
  let dressed = false;

  function dress() {
    if (dressed) return;
    dressed = true;
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    } catch {
      // An older browser shows its own look.
    }
  }

  const css = `
dialog.hardy-dialog {
  --card: #fff; --line: #dde1e7; --text: #1b2330; --quiet: #525d6d;
  --accent: #1d55c4; --accent-hover: #17459f; --on-accent: #fff;
  box-sizing: border-box; width: 27rem; max-width: calc(100vw - 2.5rem); margin: auto; padding: 2rem;
  border: 1px solid var(--line); border-radius: 1rem; background: var(--card); color: var(--text);
  box-shadow: 0 12px 40px rgb(20 30 50 / .25); text-align: center; overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
dialog.hardy-dialog::backdrop { background: rgb(15 20 30 / .5); }
.hardy-dialog h2 { margin: 0 0 .5rem; font-size: 1.375rem; line-height: 1.3; font-weight: 650; color: inherit; }
.hardy-dialog p { margin: 0 0 1.6rem; color: var(--quiet); }
.hardy-dialog :is(button, a) {
  display: block; box-sizing: border-box; width: 100%; margin: 0; padding: .72rem 1.25rem; cursor: pointer;
  border: 1px solid transparent; border-radius: .625rem; background: var(--accent); color: var(--on-accent);
  font: inherit; font-weight: 600; text-decoration: none;
}
.hardy-dialog :is(button, a):hover { background: var(--accent-hover); }
.hardy-dialog :is(button, a):focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
.hardy-dialog button:disabled { opacity: .6; cursor: default; }
@media (prefers-color-scheme: dark) {
  dialog.hardy-dialog {
    --card: #1b2028; --line: #2e3540; --text: #eceff4; --quiet: #a6b0be;
    --accent: #8db4ff; --accent-hover: #abc8ff; --on-accent: #0c1a33;
  }
}
`;
})();
