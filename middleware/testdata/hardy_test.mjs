// What hardy.js does, with the few parts of a browser that it touches. Run by TestScriptBehaviour.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

const source = readFileSync(new URL("../hardy.js", import.meta.url), "utf8");
const home = "https://app.example/page";

// An answer as fetch gives it.
function answer(status, headers = {}, body = null, { url = "https://app.example/api", type = "basic" } = {}) {
  const response = new Response(body, { status, headers });
  Object.defineProperties(response, { url: { value: url }, type: { value: type } });
  return response;
}

const problem = JSON.stringify({ type: "hardy/1/session-ended", status: 401, detail: "There was no activity." });
const ended = (more) => answer(401, {
  "WWW-Authenticate": 'Session error="expired", reason="idle"',
  "Content-Type": "application/problem+json",
}, problem, more);

class Element extends EventTarget {
  constructor(name) { super(); this.name = name; this.children = []; this.attributes = {}; }
  setAttribute(name, value) { this.attributes[name] = value; }
  append(...all) { this.children.push(...all); all.forEach((e) => { e.parent = this; }); }
  remove() { this.parent.children = this.parent.children.filter((e) => e !== this); }
  showModal() { this.modal = true; }
  focus() { this.focused = true; }
}

// browser loads the script into a page whose fetch is served by serve.
function browser(serve, dataset = {}, at = home) {
  const document = new EventTarget();
  document.currentScript = { dataset };
  document.body = new Element("body");
  document.activeElement = new Element("input");
  document.adoptedStyleSheets = [];
  document.createElement = (name) => new Element(name);
  const calls = [];
  const page = { document, calls, reloads: 0, errors: [] };
  const window = new EventTarget();
  window.fetch = async (...args) => { calls.push(args); return serve(...args); };
  const context = vm.createContext({
    window, document, URL, Headers, CustomEvent, setTimeout, performance,
    location: { href: at, origin: "https://app.example", pathname: new URL(at).pathname, search: new URL(at).search, reload: () => { page.reloads++; } },
    CSSStyleSheet: class { replaceSync(css) { this.css = css; } },
    console: { error: (e) => page.errors.push(e) },
  });
  vm.runInContext(source, context);
  page.fetch = (...args) => window.fetch(...args);
  page.again = () => vm.runInContext(source, context);
  page.dialogs = () => document.body.children.filter((e) => e.name === "dialog");
  page.show = (persisted) => window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted }));
  page.on = (f, name = "hardy:expired") => document.addEventListener(name, f);
  return page;
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

test("answers of a living session pass", async () => {
  for (const r of [answer(200), answer(401), answer(401, { "WWW-Authenticate": "Basic" }),
    answer(401, { "WWW-Authenticate": 'Session error="missing"' }), answer(403, { "WWW-Authenticate": 'Session error="expired"' })]) {
    const page = browser(() => r);
    page.on(() => assert.fail("event"));
    assert.equal(await page.fetch("/api"), r);
    await settle();
    assert.equal(page.dialogs().length, 0);
  }
});

test("other origins and opaque answers are not believed", async () => {
  for (const more of [{ url: "https://evil.example/", type: "cors" }, { type: "cors" }, { type: "opaque" }, { url: "https://evil.example/" }]) {
    const page = browser(() => ended(more));
    page.on(() => assert.fail("event"));
    await page.fetch("/api");
    await settle();
    assert.equal(page.dialogs().length, 0);
  }
});

test("ours is found among other challenges", async () => {
  const page = browser(() => answer(401, { "WWW-Authenticate": 'Bearer realm="x", Session error="expired", reason="revoked"' }));
  let reason;
  page.on((e) => { reason = e.detail.reason; });
  await page.fetch("/api");
  assert.equal(reason, "revoked");
});

test("nobody cancels: one dialog, with words and focus", async () => {
  const page = browser(() => ended());
  const response = await page.fetch("/api");
  assert.equal((await response.json()).detail, "There was no activity."); // the page may read it
  await Promise.all([page.fetch("/api"), page.fetch("/api")]);
  await settle();
  assert.equal(page.dialogs().length, 1);
  const [dialog] = page.dialogs();
  assert.equal(dialog.modal, true);
  assert.equal(dialog.attributes.role, "alertdialog");
  const [title, text, button] = dialog.children;
  assert.deepEqual([title.id, text.id], [dialog.attributes["aria-labelledby"], dialog.attributes["aria-describedby"]]);
  assert.deepEqual([title.textContent, text.textContent, button.textContent],
    ["Your session has ended", "There was no activity.", "Refresh now"]);
  assert.equal(button.autofocus, true);
  assert.equal(page.document.adoptedStyleSheets.length, 1);
  button.dispatchEvent(new Event("click"));
  await settle();
  assert.equal(page.reloads, 1);
  assert.equal(page.calls.length, 3, "no reset without data-reset");
});

test("Escape closes it and gives the focus back; the next call opens it again", async () => {
  const page = browser(() => ended());
  await page.fetch("/api");
  await settle();
  page.dialogs()[0].dispatchEvent(new Event("close"));
  assert.equal(page.dialogs().length, 0);
  assert.equal(page.document.activeElement.focused, true);
  await page.fetch("/api");
  await settle();
  assert.equal(page.dialogs().length, 1);
});

test("texts of the page's own", async () => {
  const page = browser(() => ended(), { title: "Sitzung beendet", text: "Bitte neu laden.", button: "Neu laden" });
  await page.fetch("/api");
  await settle();
  assert.deepEqual(page.dialogs()[0].children.map((e) => e.textContent), ["Sitzung beendet", "Bitte neu laden.", "Neu laden"]);
});

test("catch, reset, repeat: works with a blank session", async () => {
  let dead = true;
  const page = browser((url, init) => {
    if (url === "/hardy/reset") {
      assert.equal(init.method, "POST");
      assert.equal(init.credentials, "same-origin");
      dead = false;
      return answer(204);
    }
    return dead ? ended() : answer(200, {}, "1");
  });
  const again = new Promise((resolve) => {
    page.on(async (e) => {
      e.preventDefault();
      assert.equal(e.detail.response.status, 401);
      await e.detail.reset();
      resolve(await (await page.fetch("/ring")).text());
    });
  });
  assert.equal((await page.fetch("/ring")).status, 401, "the caller gets the answer as ever");
  assert.equal(await again, "1");
  await settle();
  assert.equal(page.dialogs().length, 0);
});

test("calls under way together need one reset", async () => {
  let posts = 0;
  const page = browser(async (url) => {
    if (url !== "/start-over") {
      await new Promise((resolve) => setTimeout(resolve, url === "/late" ? 15 : 1));
      return ended();
    }
    posts++;
    await new Promise((resolve) => setTimeout(resolve, 5));
    return answer(204);
  }, { reset: "/start-over" });
  const resets = [];
  page.on((e) => { e.preventDefault(); resets.push(e.detail.reset()); });
  await Promise.all(["/a", "/b", "/c", "/late"].map((url) => page.fetch(url)));
  await Promise.all(resets);
  assert.deepEqual([resets.length, posts], [4, 1]);
  await page.fetch("/d"); // dead once more
  await Promise.all(resets);
  assert.equal(posts, 2);
});

const locked = (unlock = ', unlock="/unlock"') => answer(401, {
  "WWW-Authenticate": `Session error="locked"${unlock}`,
  "Content-Type": "application/problem+json",
}, JSON.stringify({ type: "hardy/1/session-locked", status: 401, detail: "There was no activity. Nothing is lost." }));

test("a locked session: a dialog with the way to unlock and back", async () => {
  const page = browser(() => locked(), {}, "https://app.example/notes?year=2026");
  page.on(() => assert.fail("it has not ended"));
  let detail;
  page.on((e) => { detail = e.detail; }, "hardy:locked");
  const response = await page.fetch("/api");
  assert.equal((await response.json()).type, "hardy/1/session-locked"); // the page may read it
  await page.fetch("/api");
  await settle();
  assert.equal(detail.unlock, "/unlock?next=%2Fnotes%3Fyear%3D2026");
  assert.equal(page.dialogs().length, 1);
  const [dialog] = page.dialogs();
  assert.deepEqual([dialog.className, dialog.modal, dialog.attributes.role], ["hardy-dialog hardy-locked", true, "alertdialog"]);
  const [title, text, link] = dialog.children;
  assert.deepEqual([title.id, text.id], [dialog.attributes["aria-labelledby"], dialog.attributes["aria-describedby"]]);
  assert.deepEqual([title.textContent, text.textContent, link.textContent], ["Your session is locked", "There was no activity. Nothing is lost.", "Unlock"]);
  assert.deepEqual([link.name, link.href, link.autofocus], ["a", "/unlock?next=%2Fnotes%3Fyear%3D2026", true]);
});

test("a locked session: cancelled, on the page that unlocks, and with texts of the page's own", async () => {
  const cancelled = browser(() => locked());
  cancelled.on((e) => e.preventDefault(), "hardy:locked");
  await cancelled.fetch("/api");
  await settle();
  assert.equal(cancelled.dialogs().length, 0);

  const own = { title: "Ended", lockedTitle: "Gesperrt", lockedText: "Bitte anmelden.", lockedButton: "Entsperren" };
  for (const unlock of [undefined, ""]) { // of an older server: this page, loaded anew, has the link
    const page = browser(() => locked(unlock), own, "https://app.example/unlock");
    await page.fetch("/api");
    await settle();
    const parts = page.dialogs()[0].children;
    assert.deepEqual(parts.map((e) => e.textContent), ["Gesperrt", "Bitte anmelden.", "Entsperren"]);
    assert.equal(parts[2].href, "/unlock");
  }
});

test("a reset that fails rejects, and the next one tries again", async () => {
  let posts = 0;
  const page = browser((url) => (url === "/hardy/reset" ? answer(++posts === 1 ? 503 : 204) : ended()));
  let reset;
  page.on((e) => { e.preventDefault(); reset = e.detail.reset; });
  await page.fetch("/api");
  await assert.rejects(reset(), /503.*ResetHandler/);
  await reset();
  assert.equal(posts, 2);
});

test("Refresh now resets first where data-reset is given, and reloads even if that fails", async () => {
  for (const status of [204, 404]) {
    const page = browser((url) => (url === "/start-over" ? answer(status) : ended()), { reset: "/start-over" });
    await page.fetch("/api");
    await settle();
    page.dialogs()[0].children[2].dispatchEvent(new Event("click"));
    await settle();
    assert.deepEqual([page.calls.at(-1)[0], page.reloads, page.errors.length], ["/start-over", 1, status === 204 ? 0 : 1]);
  }
});

test("htmx fires the event itself", async () => {
  const page = browser(() => ended());
  let events = 0;
  page.on(() => { events++; });
  await page.fetch("/part", { headers: { "HX-Request": "true" } });
  assert.equal(events, 0, "of its own fetch there is no second one");
  let reset;
  page.on((e) => { reset = e.detail.reset; });
  page.document.dispatchEvent(new CustomEvent("hardy:expired", { detail: { reason: "idle" }, cancelable: true }));
  await settle();
  assert.equal(typeof reset, "function");
  assert.equal(page.dialogs().length, 1);
  assert.equal(page.dialogs()[0].children[1].textContent, "The session is no longer available.");
});

test("included twice it acts once", async () => {
  const page = browser(() => ended());
  page.again();
  let events = 0;
  page.on(() => { events++; });
  await page.fetch("/api");
  assert.equal(events, 1);
});

test("fetch fails as ever", async () => {
  const page = browser(() => { throw new TypeError("offline"); });
  await assert.rejects(page.fetch("/api"), /offline/);
});

test("a page out of the browser's memory is loaded anew, any other is not", () => {
  const page = browser(() => answer(200));
  page.show(false);
  assert.equal(page.reloads, 0);
  page.show(true);
  assert.equal(page.reloads, 1);
});
