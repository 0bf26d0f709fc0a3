// Moderation: rooms and players as they are now, reports, restrictions, and the log of what was done.
const page = await window.broadside.load("pages/page", "@build@", "pages/admin.js");
const { announce, ask, beside, busy, by, cannotShow, count, finish, make, note, say, sayCount, showWho, timeElement, timeOf } = page;

const RENEW_MS = 2000;
const REPORTS_RENEW_MS = 10000;
let now = { players: [], rooms: [] };
let titles = new Map();
/// Whether the list of reports is the first page and nothing more, which can be renewed.
let showsFirstReports = true;

const milliseconds = ({ p50, p99 }) => [p50, p99].map((us) => window.broadside.number(us / 1000, 1)).join("; ");
const act = (action, more) => ask("api/admin/actions", { body: { action, ...more } });

/// A button that does something to `subject`; what it did is said and shown.
function button(text, subject, done, work, look = "") {
  const made = make("button", { type: "button", className: `slim ${look}` }, text, make("span", { className: "hidden-text" }, ` ${subject}`));
  made.addEventListener("click", () => busy(made, by("#failure"), async () => {
    if ((await work()) === false) return;
    announce(say("admin.did", { subject, done }));
    await renewAll();
  }));
  return made;
}

/// Replaces the children of a list, unless they are the same. The keyboard stays where it was, or comes to the content if that is gone: the player
/// left, the report is handled.
function replace(place, rows) {
  if (rows.length === place.children.length && rows.every((row, at) => row.isEqualNode(place.children[at]))) return;
  const held = place.contains(document.activeElement) ? document.activeElement.textContent : null;
  place.replaceChildren(...rows);
  if (held === null) return;
  const same = [...place.querySelectorAll("a, button, summary")].find((element) => element.textContent === held);
  (same ?? by("#content")).focus({ preventScroll: true });
}

/// Asks whether to do something, and for its reason and length; null if it is called off.
function sentence(title, what) {
  const dialog = by("#sentence");
  by("#sentence-title").textContent = title;
  by("#what-field").hidden = what !== null;
  by("#length-field").hidden = what === "kick" || what === "close" || what === "end";
  by("#reason-field").hidden = what === "close" || what === "end";
  by("#do").textContent = { kick: say("friends.remove"), ban: say("admin.ban"), mute: say("admin.mute"), close: say("admin.close-it"), end: say("admin.end-it") }[what] ?? say("admin.do");
  by("#reason").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const minutes = by("#length").value === "" ? null : Number(by("#length").value);
      resolve(dialog.returnValue === "do" ? { what: what ?? by("#what").value, minutes, reason: by("#reason").value } : null);
    }, { once: true });
  });
}

async function judge(player, what) {
  const name = { name: player };
  const title = { kick: say("admin.remove-whom", name), ban: say("admin.ban-whom", name), mute: say("admin.mute-whom", name) }[what] ?? say("admin.ban-or-mute-whom", name);
  const given = await sentence(title, what);
  if (!given) return false;
  const { minutes, reason } = given;
  await act(given.what, given.what === "kick" ? { player, reason } : { player, minutes, reason });
}

function roomRow(room) {
  const mode = titles.get(room.mode) ?? room.mode;
  const name = make("th", { scope: "row" }, `${room.id} ${room.name}`, make("small", { className: "quiet" }, ` ${mode}${room.private ? `, ${say("admin.private")}` : ""}`));
  const cell = (text) => make("td", { className: "right" }, text);
  const subject = say("admin.room-named", { room: room.id });
  const watch = room.watch && make("a", { className: "button slim", href: beside(new URL(room.watch, location.href).search) }, say("watch"), make("span", { className: "hidden-text" }, ` ${subject}`));
  const close = room.on_demand && button(say("admin.close"), subject, say("admin.done.closed"), async () => {
    if (!(await sentence(say("admin.close-room", { room: room.id }), "close"))) return false;
    return act("close_room", { room: room.id });
  });
  const present = [say("admin.seats", { players: count(room.players), capacity: count(room.capacity) })];
  if (room.bots) present.push(sayCount("admin.bots", room.bots));
  if (room.spectators) present.push(sayCount("admin.watch", room.spectators));
  return make(
    "tr", {}, name, cell(present.join(", ")),
    cell(milliseconds(room.tick_us)), cell(milliseconds(room.age_us)), cell(room.governor_level), cell(count(room.missed_ticks)),
    make("td", {}, make("span", { className: "actions" }, watch, close)),
  );
}

function playerRow({ name, account, room }) {
  const where = room === null ? say("admin.in-lobby") : say("admin.in-room", { room });
  const judged = (what, text) => button(text, name, say("admin.done.done"), () => judge(name, what));
  return make(
    "li", {}, make("span", { className: "name", dir: "auto" }, name, make("small", {}, account ? where : say("admin.accountless", { where }))),
    make("span", { className: "actions" }, judged("kick", say("friends.remove")), account && judged("mute", say("admin.mute")), account && judged("ban", say("admin.ban"))),
  );
}

function showPlayers() {
  const wanted = by("#filter").value.trim().toLowerCase();
  const players = now.players.filter(({ name }) => name.toLowerCase().includes(wanted)).slice(0, 100);
  replace(by("#players"), players.map(playerRow));
  by("#no-players").hidden = players.length > 0;
  by("#no-players").textContent = wanted ? say("admin.no-match") : say("admin.no-players");
}

/// Nodes that are there and let players in are said to be here; the others, what is wrong with them.
function nodeRow({ node, url, region, version, rooms, players, draining, there, silent_ms }) {
  const state = !there ? say("admin.silent", { seconds: count(Math.round(silent_ms / 1000)) }) : draining ? say("admin.draining") : say("admin.here");
  const cell = (text) => make("td", { className: "right" }, text);
  const end = now.role === "admin" && there && !draining && button(say("admin.end"), say("admin.node-named", { node }), say("admin.done.ends"), async () => {
    if (!(await sentence(say("admin.end-node", { node }), "end"))) return false;
    return act("end_node", { node });
  });
  return make(
    "tr", {}, make("th", { scope: "row" }, `${node}`, make("small", { className: "quiet" }, ` ${url}`)), make("td", {}, region), make("td", {}, version),
    cell(count(rooms)), cell(count(players)), make("td", {}, state), make("td", {}, make("span", { className: "actions" }, end)),
  );
}

async function renew() {
  const [server, nodes] = await Promise.all([ask("api/admin"), ask("api/nodes")]);
  now = server;
  by("#cluster").hidden = nodes.length === 0;
  replace(by("#nodes tbody"), nodes.map(nodeRow));
  const [players, rooms] = [sayCount("admin.players", now.player_count), sayCount("admin.some-rooms", now.rooms.length)];
  by("#lead").textContent = say("admin.lead.now", { players, rooms, role: now.role === "admin" ? say("admin.an-admin") : say("admin.a-moderator") });
  by("#roles").hidden = now.role !== "admin";
  replace(by("#rooms tbody"), now.rooms.map(roomRow));
  showPlayers();
}

/// Ids of the reports whose chat is shown.
const openReports = () => [...by("#reports").querySelectorAll("details[open]")].map((details) => details.closest("[data-report]").dataset.report);

/// A line of chat, which begins with its time in seconds since 1970 and its topic.
function chatRow(line) {
  const [, s, topic, said] = line.match(/^(\d+) (\S+) (.*)$/s) ?? [null, null, null, line];
  return make("li", {}, make("span", { dir: "auto" }, said), s && make("small", {}, timeElement(Number(s)), ` ${say("admin.in-place", { place: topic.replace(/\/chat$/, "") })}`));
}

function reportRow({ id, reported_s, reporter, subject, body, chat, room, recorded, handled_by }) {
  const watch = recorded && make("a", { className: "button slim", href: beside(`replay/${id}`), target: "_blank" }, say("player.watch"));
  if (watch) watch.append(make("span", { className: "hidden-text" }, ` ${say("admin.minute", { name: subject })}`));
  const handle = !handled_by && button(say("admin.handle"), say("admin.report-on", { name: subject }), say("admin.done.handled"), () => act("handle_report", { report: id }), "primary");
  return make(
    "li", { "data-report": id }, make(
      "span", { className: "name report" }, make("span", { dir: "auto" }, subject), make("small", {}, body),
      make("small", {}, `${say("admin.by", { name: reporter || say("admin.somebody") })}, `, timeElement(reported_s), room && `, ${say("admin.in-place", { place: room })}`, handled_by && `, ${say("admin.handled-by", { name: handled_by })}`),
      chat.length ? make("details", { open: openReports().includes(id) }, make("summary", {}, sayCount("admin.chat", chat.length)), make("ol", {}, ...chat.map(chatRow))) : null,
    ),
    make("span", { className: "actions" }, watch, !handled_by && button(say("admin.ban-or-mute"), subject, say("admin.done.done"), () => judge(subject, null)), handle),
  );
}

function restrictionRow({ name, kind, until_s, reason, imposed_by }) {
  const values = { by: imposed_by, time: timeOf(until_s) };
  const isBan = kind === "ban";
  const until = () => (isBan ? say("admin.banned-until", values) : say("admin.muted-until", values));
  const imposed = until_s ? until() : isBan ? say("admin.banned", values) : say("admin.muted", values);
  const text = `${imposed}${reason ? `: ${reason}` : ""}`;
  return make(
    "li", {}, make("span", { className: "name", dir: "auto" }, name, make("small", {}, text)),
    make("span", { className: "actions" }, button(isBan ? say("admin.unban") : say("admin.unmute"), name, say("admin.done.lifted"), () => act(`un${kind}`, { player: name }))),
  );
}

/// What the log calls an action, and what the page does.
const ACTIONS = {
  announce: say("admin.act.announce"), ban: say("admin.act.ban"), "close room": say("admin.act.close-room"), "end node": say("admin.act.end-node"), "handle report": say("admin.act.handle-report"),
  kick: say("admin.act.kick"), mute: say("admin.act.mute"), role: say("admin.act.role"), unban: say("admin.act.unban"), unmute: say("admin.act.unmute"),
};

const auditRow = ({ acted_s, actor, action, subject, detail }) =>
  make("tr", {}, make("td", {}, timeElement(acted_s)), make("td", { dir: "auto" }, actor), make("td", {}, ACTIONS[action] ?? action), make("td", { dir: "auto" }, subject), make("td", { className: "fill", dir: "auto" }, detail));

/// A list that comes in pages: `first` replaces what is shown.
function pages(path, more, take) {
  let next = null;
  const load = async (isFirst) => {
    const found = await ask(`${path}${path.includes("?") ? "&" : "?"}${isFirst || !next ? "" : `before=${next}`}`);
    next = found.next;
    more.hidden = !next;
    take(found, isFirst);
  };
  more.onclick = () => busy(more, by("#failure"), () => load(false));
  return load;
}

const loadReports = (isFirst) => pages(`api/admin/reports?all=${by("#all-reports").checked}`, by("#more-reports"), ({ reports }, isFirst) => {
  if (isFirst) replace(by("#reports"), reports.map(reportRow));
  else by("#reports").append(...reports.map(reportRow));
  showsFirstReports = isFirst;
  by("#no-reports").hidden = by("#reports").children.length > 0;
})(isFirst);

const loadAudit = pages("api/admin/audit", by("#more-audit"), ({ entries }, isFirst) => {
  if (isFirst) by("#audit tbody").replaceChildren();
  by("#audit tbody").append(...entries.map(auditRow));
});

async function loadRestrictions() {
  const { restrictions } = await ask("api/admin/restrictions");
  replace(by("#restrictions"), restrictions.map(restrictionRow));
  by("#no-restrictions").hidden = restrictions.length > 0;
}

async function renewAll() {
  await Promise.all([renew(), loadReports(true), loadAudit(true), loadRestrictions()]);
  finishAll();
}

const finishAll = () =>
  finish("ready", { players: now.players.map(({ name }) => name), rooms: now.rooms.map(({ id }) => id), reports: by("#reports").children.length, audit: by("#audit tbody").rows.length });

function onSubmit(form, text, work) {
  by(form).addEventListener("submit", (event) => {
    event.preventDefault();
    busy(by(`${form} button`), by(`${form}-note`), async () => {
      if ((await work()) === false) return;
      by(form).reset();
      note(by(`${form}-note`), text, "success");
      await renewAll();
    });
  });
}

onSubmit("#announce", say("admin.announced"), () => act("announce", { text: by("#text").value }));
onSubmit("#by-name", say("admin.done"), () => judge(by("#ban-name").value.trim(), null));
onSubmit("#role", say("admin.appointed"), () => act("set_role", { player: by("#role-name").value.trim(), role: by("#role-role").value }));
by("#filter").addEventListener("input", showPlayers);
by("#all-reports").addEventListener("change", () => busy(by("#all-reports"), by("#failure"), () => loadReports(true)));

try {
  const [modes, account] = await Promise.all([page.modes(), page.whoAmI()]);
  titles = new Map(modes.map(({ name, title }) => [name, title]));
  showWho(account);
  await renewAll();
  by("#content").hidden = false;
  // A button that is being pressed stays until it is released: a new one in its place would not be clicked.
  const isBusy = () => document.hidden || by("#sentence").open || by("main :is(a, button):active");
  const keepRenewed = (renewed, everyMs) => setInterval(() => isBusy() || renewed().then(finishAll, () => {}), everyMs);
  keepRenewed(renew, RENEW_MS);
  keepRenewed(async () => showsFirstReports && loadReports(true), REPORTS_RENEW_MS);
} catch (wrong) {
  cannotShow(wrong);
}
