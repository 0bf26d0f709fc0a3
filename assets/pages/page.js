// What the pages beside the game share: requests to the server, elements, texts, numbers and dates in the language of the page, the bar at
// the top.
export const build = "@build@";

// Texts are asked for as soon as this has loaded: settings.js, which fetches their table, ran before.
await window.broadside.language;
const { lang } = document.documentElement;
const { words } = window.broadside;

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);

/// The text with this key, with each `{name}` replaced by the value of that name.
export const say = (key, values = {}) => fill(words[key] ?? key, values);

/// The text for so many of something: `{count}` in it is the number.
export const sayCount = (key, number, values = {}) =>
  fill(words[`${key}.${window.broadside.plural(number)}`] ?? words[`${key}.other`] ?? key, { count: count(number), ...values });

/// The address of a path on this server, below whatever path a proxy serves it at.
export const beside = (path) => new URL(path, window.broadside.base).href;

/// The path of this page below the server's own: `u/Ann`.
export const ownPath = () => location.pathname.slice(new URL(window.broadside.base).pathname.length);

/// The page of a player.
export const pageOf = (name) => beside(`u/${encodeURIComponent(name)}`);

/// Why the server refused a request.
export class Refusal extends Error {
  constructor(status, detail, body = {}) {
    super(detail);
    this.status = status;
    this.body = body;
  }
}

const ANSWER_MS = 15000;

/// Asks the server, and gives the JSON of its answer. `body` makes it a POST; `method` overrides. Throws a [`Refusal`] with a sentence for
/// people; its status is 0 if there was no answer.
export async function ask(path, { method, body } = {}) {
  const changes = body !== undefined || (method !== undefined && method !== "GET");
  let answer;
  let text;
  try {
    answer = await fetch(beside(path), {
      method: method ?? (changes ? "POST" : "GET"),
      // Accounts take nothing that a form of another site could send.
      ...(changes && { headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}) }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    text = await answer.text();
  } catch {
    throw new Refusal(0, say("refused.no-answer"));
  }
  let json = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch {
    throw new Refusal(answer.status, say("refused.unreadable"));
  }
  if (!answer.ok) throw new Refusal(answer.status, reasonOf(answer, json ?? {}, path), json ?? {});
  return json;
}

/// Why the server refused, as a sentence. Its own is English and knows the most; in other languages its code says which text it is, or its
/// status does, of what was asked for: `refused.friends.404`.
function reasonOf({ status, headers }, { code, detail }, path) {
  if (detail && window.broadside.lang === "en") return sentence(detail);
  const [, what] = path.split("?")[0].split("/");
  const key = [code, `${what}.${status}`, status].map((name) => `refused.${name}`).find((name) => words[name]);
  return say(key ?? "refused.other", { status, seconds: headers.get("retry-after") ?? 60 });
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

export const by = (selector, within = document) => within.querySelector(selector);

/// A new element. Properties that start with `aria-`, `data-` and the like become attributes; text is never markup.
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/// A name, as a link to its page if it has one.
export const nameOf = (name, hasPage) => (hasPage ? make("a", { href: pageOf(name), dir: "auto" }, name) : make("span", { dir: "auto" }, name ?? say("page.guest")));

const integer = new Intl.NumberFormat(lang);
const percentage = new Intl.NumberFormat(lang, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const [day, clock] = [{ day: "numeric", month: "short" }, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }];
export const count = (number) => integer.format(number);
export const percent = (part) => (part === null ? "–" : percentage.format(part));
export const moment = (s) => new Date(s * 1000);
export const dateOf = (s) => moment(s).toLocaleDateString(lang, { day: "numeric", month: "long", year: "numeric" });
export const timeOf = (s) => moment(s).toLocaleString(lang, { ...day, ...clock });
/// A day of the form `2026-12-31`.
export const dayOf = (text) => new Date(`${text}T00:00:00Z`).toLocaleDateString(lang, { ...day, timeZone: "UTC" });

/// A length of time in its two largest units: `2 h 5 min`.
export function spanOf(seconds) {
  const [h, min, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), Math.floor(seconds % 60)];
  return h ? `${count(h)} h ${min} min` : min ? `${min} min ${s} s` : `${s} s`;
}

/// A long time in its largest unit: `34 h`.
export const hoursOf = (seconds) => (seconds >= 7200 ? `${count(Math.round(seconds / 3600))} h` : `${Math.round(seconds / 60)} min`);

/// A moment with its machine-readable form.
export function timeElement(s) {
  const at = moment(s);
  const parts = [`${at.toLocaleDateString(lang, day)}, `, at.toLocaleTimeString(lang, clock)];
  return make("time", { dateTime: at.toISOString() }, ...parts.map((part) => make("span", {}, part)));
}

/// The modes of the game, with their titles as the page words them; names of other games' modes stand for themselves.
export async function modes() {
  const { modes } = await ask("api/schema");
  return modes.map((mode) => ({ ...mode, title: words[`mode.${mode.name}`] ?? mode.title }));
}

/// Says something to who cannot see it change.
export const announce = (text) => (by("#said").textContent = text);

/// Shows text in an element that has a place for it, in the look of a failure or a success; nothing for an empty text.
export function note(where, text, look = "failure") {
  where.className = text ? look : "";
  where.setAttribute("role", look === "failure" ? "alert" : "status");
  where.textContent = text;
}

/// Runs what a press of `button` starts; meanwhile it cannot be pressed. A failure is shown in `where`.
export async function busy(button, where, work) {
  if (button.ariaDisabled === "true") return;
  // Not `disabled`, which would take the keyboard's focus away.
  button.ariaDisabled = "true";
  note(where, "");
  try {
    await work();
  } catch (wrong) {
    if (!(wrong instanceof Refusal)) throw wrong;
    note(where, wrong.message);
  } finally {
    button.ariaDisabled = null;
  }
}

/// Replaces the content of the page by the reason why it cannot be shown.
export function cannotShow(wrong) {
  // What the server says of this is for programs.
  const said = wrong.status === 401 ? say("refused.not_signed_in") : wrong.message;
  const text = wrong instanceof Refusal ? said : say("page.failed", { reason: wrong });
  const signIn = wrong.status === 401 && make("a", { className: "button primary", href: beside("account") }, say("page.sign-in"));
  const again = make("button", { type: "button", onclick: () => location.reload() }, say("page.again"));
  by("#content").replaceChildren(make("p", { className: "failure", role: "alert" }, text), make("p", { className: "actions" }, signIn, again));
  by("#content").hidden = false;
  finish("failed");
}

/// The account that this browser is signed in to; null if there is none, also while accounts cannot be used.
export async function whoAmI() {
  try {
    return await ask("api/account");
  } catch (wrong) {
    if (wrong instanceof Refusal) return null;
    throw wrong;
  }
}

/// Shows in the bar who is signed in, and lets the game's page know the name, so that a link into a room does not ask for one.
export function showWho(account) {
  keepSettings(account?.keeps_name ?? false);
  if (!account?.keeps_name) return;
  by("#who").replaceChildren(make("span", { className: "hidden-text" }, `${say("page.account-of")} `), account.name);
  if (account.role !== "player" && !by("#moderation")) by(".bar nav").prepend(make("a", { id: "moderation", href: beside("admin") }, say("page.moderation")));
  try {
    localStorage["broadside.name"] ??= account.name;
  } catch {
    // A browser that stores nothing asks.
  }
}

/// Remembers for the game's page whether this browser's settings are those of an account: see settings/account.js.
function keepSettings(are) {
  try {
    if (are) localStorage["broadside.kept"] = "1";
    else for (const name of ["kept", "sent"]) localStorage.removeItem(`broadside.${name}`);
  } catch {
    // Then they last as long as a page.
  }
}

/// What the tests wait for.
export function finish(phase, more = {}) {
  window.broadside.state = () => ({ phase, ...more });
}
