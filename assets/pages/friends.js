// Friends: lists that renew themselves, requests, and links.
const page = await window.broadside.load("pages/page", "@build@", "pages/friends.js");
const { announce, ask, beside, busy, by, cannotShow, finish, make, note, pageOf, say, showWho } = page;

const RENEW_MS = 15000;
const path = (name) => `api/friends/${encodeURIComponent(name)}`;
/// The code of the invitation that this page was opened with.
const code = page.ownPath().match(/^friend\/([^/]+)\/?$/)?.[1];
let titles = new Map();
/// Names of the friends that were online when last looked at; null before.
let online = null;

function whereabouts({ friendship, online, room }) {
  if (friendship === "asked") return say("friends.wants");
  if (friendship === "requested") return say("friends.waits");
  const mode = room && (titles.get(room.mode) ?? room.mode);
  return make("span", { className: online ? "online" : "online offline" }, room ? say("presence.plays", { mode, room: room.id }) : online ? say("presence.online") : say("presence.offline"));
}

/// Asks whether to remove a friend, which only both together can undo.
async function isCertain(name) {
  const dialog = by("#remove");
  by("#remove-title").textContent = say("friends.remove.title", { name });
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  return dialog.returnValue === "yes";
}

function row(friend) {
  const { name, friendship, room } = friend;
  const change = (text, look, method, mayChange = async () => true) => {
    const button = make("button", { type: "button", className: `slim ${look}` }, text, make("span", { className: "hidden-text" }, ` ${name}`));
    button.addEventListener("click", () => busy(button, by("#failure"), async () => {
      if (!(await mayChange(name))) return;
      await ask(path(name), { method });
      await renew();
      announce(say("page.done-with", { name }));
      by("#content").focus();
    }));
    return button;
  };
  const link = (text, look, href) => make("a", { className: `button slim ${look}`, href: beside(href) }, text, make("span", { className: "hidden-text" }, ` ${name}`));
  const below = room && new URL(room.join, location.href).search;
  const actions = {
    asked: () => [change(say("friends.accept"), "primary", "PUT"), change(say("friends.decline"), "", "DELETE")],
    requested: () => [change(say("friends.withdraw"), "", "DELETE")],
    friends: () => [room?.joinable && link(say("join"), "primary", below), room && link(say("watch"), "", `${below}&watch=1`), change(say("friends.remove"), "", "DELETE", isCertain)],
  }[friendship]();
  return make(
    "li", {}, make("span", { className: "name" }, make("a", { href: pageOf(name), dir: "auto" }, name), make("small", {}, whereabouts(friend))),
    make("span", { className: "actions" }, ...actions.filter(Boolean)),
  );
}

/// Shows a list, and keeps the keyboard where it was.
function list(kind, friends) {
  const place = by(`#${kind}-list`);
  const rows = friends.map(row);
  const held = place.contains(document.activeElement) ? document.activeElement.textContent : null;
  place.replaceChildren(...rows);
  if (held) [...place.querySelectorAll("a, button")].find((element) => element.textContent === held)?.focus();
  if (by(`#${kind}`)) by(`#${kind}`).hidden = !friends.length;
}

function showLink(link) {
  by("#link-field").hidden = by("#copy").hidden = !link;
  by("#make-link").textContent = link ? say("friends.link.make-new") : say("friends.link.make");
  if (!link) return;
  // Below the path that the browser knows, which a proxy may hide from the server.
  by("#link").value = beside(`friend/${link.link.split("/").at(-1)}`);
  by("#link-text").textContent = say("friends.link.until", { time: page.timeOf(link.expires_s) });
}

async function renew() {
  const { friends, link } = await ask("api/friends");
  const of = (kind) => friends.filter(({ friendship }) => friendship === kind);
  list("asked", of("asked"));
  list("friends", of("friends").toSorted((a, b) => Number(b.online) - Number(a.online)));
  list("requested", of("requested"));
  by("#none").hidden = of("friends").length > 0;
  showLink(link);
  const now = of("friends").filter((friend) => friend.online).map(({ name }) => name);
  const came = online ? now.filter((name) => !online.includes(name)) : [];
  if (came.length) announce(say("friends.came", { names: came.join(", ") }));
  online = now;
  finish("ready", { friends: friends.map(({ name, friendship }) => [name, friendship]), online });
}

by("#ask").addEventListener("submit", (event) => {
  event.preventDefault();
  busy(by("#ask button"), by("#ask-note"), async () => {
    const { name, friendship } = await ask(path(by("#ask-name").value.trim()), { method: "PUT" });
    by("#ask-name").value = "";
    note(by("#ask-note"), friendship === "friends" ? say("friends.made", { name }) : say("friends.was-asked", { name }), "success");
    await renew();
  });
});

by("#make-link").addEventListener("click", ({ currentTarget }) =>
  busy(currentTarget, by("#link-note"), async () => {
    showLink(await ask("api/friend-link", { method: "POST" }));
    by("#link").select();
    note(by("#link-note"), say("friends.link.ready"), "success");
  }),
);

by("#copy").addEventListener("click", async () => {
  by("#link").select();
  try {
    await navigator.clipboard.writeText(by("#link").value);
    note(by("#link-note"), say("friends.copied"), "success");
  } catch {
    note(by("#link-note"), say("friends.copy-yourself"));
  }
});

by("#accept").addEventListener("click", ({ currentTarget }) =>
  busy(currentTarget, by("#failure"), async () => {
    const { name } = await ask(`api/friend-link/${code}`, { method: "POST" });
    by("#invitation").hidden = true;
    history.replaceState(null, "", beside("friends"));
    note(by("#failure"), say("friends.made", { name }), "success");
    await renew();
    by("#content").focus();
  }),
);

/// Shows whose invitation it is; who keeps no name does that first, in another tab or on the way back to this address.
async function invite(account) {
  const { name, expires_s } = await ask(`api/friend-link/${code}`);
  by("#invitation-title").textContent = say("friends.invites", { name });
  by("#invitation-text").textContent = account?.keeps_name
    ? say("friends.invites.what", { time: page.timeOf(expires_s) })
    : say("friends.invites.nameless");
  by("#accept").hidden = by("#not-now").hidden = !account?.keeps_name;
  by("#invitation").hidden = false;
}

try {
  const [modes, account] = await Promise.all([page.modes(), page.whoAmI()]);
  titles = new Map(modes.map(({ name, title }) => [name, title]));
  showWho(account);
  if (code) await invite(account).catch((wrong) => note(by("#failure"), wrong.message));
  by("#nameless").hidden = account?.keeps_name ?? false;
  by("#own").hidden = !account?.keeps_name;
  if (account?.keeps_name) {
    await renew();
    // Renewed while somebody looks; a failure shows as the list of a moment ago.
    setInterval(() => document.hidden || by("#remove").open || renew().catch(() => {}), RENEW_MS);
  } else finish("nameless");
  by("#content").hidden = false;
} catch (wrong) {
  cannotShow(wrong);
}
