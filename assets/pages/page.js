// What the pages beside the game share: requests to the server, elements, numbers and dates as text, the bar at the top.
export const build = "@build@";

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
    throw new Refusal(0, "The server does not answer. Check your connection and try again.");
  }
  let json = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch {
    throw new Refusal(answer.status, "The server's answer cannot be read. Reload the page.");
  }
  if (!answer.ok) throw new Refusal(answer.status, sentence(json?.detail ?? `the server answered ${answer.status}`), json ?? {});
  return json;
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
export const nameOf = (name, hasPage) => (hasPage ? make("a", { href: pageOf(name), dir: "auto" }, name) : make("span", { dir: "auto" }, name ?? "a guest"));

const integer = new Intl.NumberFormat("en");
export const count = (number) => integer.format(number);
export const percent = (part) => (part === null ? "–" : `${(part * 100).toFixed(1)} %`);
export const moment = (s) => new Date(s * 1000);
export const dateOf = (s) => moment(s).toLocaleDateString("en", { day: "numeric", month: "long", year: "numeric" });
export const timeOf = (s) => moment(s).toLocaleString("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });

/// A length of time in its two largest units: `2 h 5 min`.
export function spanOf(seconds) {
  const [h, min, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), Math.floor(seconds % 60)];
  return h ? `${count(h)} h ${min} min` : min ? `${min} min ${s} s` : `${s} s`;
}

/// A long time in its largest unit: `34 h`.
export const hoursOf = (seconds) => (seconds >= 7200 ? `${count(Math.round(seconds / 3600))} h` : `${Math.round(seconds / 60)} min`);

/// A moment with its machine-readable form.
export function timeElement(s) {
  const [day, time] = timeOf(s).split(", ");
  return make("time", { dateTime: moment(s).toISOString() }, make("span", {}, `${day}, `), make("span", {}, time));
}

/// The titles of the game's modes by name; names of other games stand for themselves.
export async function modes() {
  const { modes } = await ask("api/schema");
  return modes;
}

/// Says something to who cannot see it change.
export const say = (text) => (by("#said").textContent = text);

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
  const said = wrong.status === 401 ? "You are not signed in." : wrong.message;
  const text = wrong instanceof Refusal ? said : `This page failed (${wrong}). Reload it.`;
  const signIn = wrong.status === 401 && make("a", { className: "button primary", href: beside("account") }, "Sign in");
  const again = make("button", { type: "button", onclick: () => location.reload() }, "Try again");
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
  by("#who").replaceChildren(make("span", { className: "hidden-text" }, "Account of "), account.name);
  if (account.role !== "player" && !by("#moderation")) by(".bar nav").prepend(make("a", { id: "moderation", href: beside("admin") }, "Moderation"));
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
