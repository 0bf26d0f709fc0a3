// The leaderboards: filters, and a table that grows by pages.
const page = await window.broadside.load("pages/page", "@build@", "pages/leaderboards.js");
const { announce, ask, busy, by, cannotShow, count, finish, make, nameOf, note, say, sayCount, showWho } = page;

const PERIODS = [["today", say("boards.today")], ["week", say("boards.week")], ["season", say("boards.season")], ["all", say("boards.all")]];
const MEASURES = [["score", say("player.score")], ["kills", say("player.kills")], ["wins", say("player.wins")], ["rating", say("player.rating")]];
const SCOPES = [["all", say("boards.everyone")], ["friends", say("friends")]];
const MEDALS = { 1: "first", 2: "second", 3: "third" };

/// The leaderboard that is shown; the address has it as well, so that it can be linked and survives a reload.
const ASKED = ["mode", "period", "by", "scope"];
const shown = Object.fromEntries([...new URLSearchParams(location.search)].filter(([name]) => ASKED.includes(name)));
let modes = [];
let next = null;
/// The best value, against which the others are drawn.
let best = 1;
/// Counts the requests, so that a late answer does not replace a newer one.
let asked = 0;

function choices(name, options) {
  const chosen = (value) => value === shown[name];
  by(`#${name}`).replaceChildren(
    ...options.map(([value, title]) =>
      make("label", {}, make("input", { type: "radio", name, value, checked: chosen(value) }), make("span", {}, title)),
    ),
  );
}

const titleOf = (options, value) => options.find(([option]) => option === value)?.[1] ?? value;
const modeTitle = () => modes.find(({ name }) => name === shown.mode)?.title ?? shown.mode;
const periodTitle = () => (shown.period.startsWith("season:") ? say("boards.one-season", { name: shown.period.slice(7) }) : titleOf(PERIODS, shown.period));

/// Only rated modes have ratings, and those have no period.
function fit() {
  const rated = modes.find(({ name }) => name === shown.mode)?.rated ?? false;
  if (shown.by === "rating" && !rated) shown.by = "score";
  if (shown.by === "rating") shown.period = "all";
  for (const input of document.querySelectorAll("#filters input")) {
    input.checked = shown[input.name] === input.value;
    input.disabled = (input.value === "rating" && !rated) || (input.name === "period" && shown.by === "rating" && input.value !== "all");
  }
  by("#past-season").value = shown.period.startsWith("season:") ? shown.period : "";
  by("#past-season").disabled = shown.by === "rating";
}

function row({ rank, tied, name, keeps_name, value, you }) {
  const place = make("td", { className: "place num" }, `${rank}`);
  if (tied) place.append(make("small", {}, " =", make("span", { className: "hidden-text" }, ` ${say("boards.shared")}`)));
  const who = make("td", { className: "name fill" }, nameOf(name, keeps_name));
  if (you) who.append(" ", make("span", { className: "badge you" }, say("mark.you")));
  const gauge = make("span", { className: "gauge", "aria-hidden": "true" });
  gauge.style.transform = `scaleX(${Math.max(0.01, value / best)})`;
  who.append(gauge);
  return make("tr", { className: MEDALS[rank], "aria-current": you && "true" }, place, who, make("td", { className: "value right num" }, count(value)));
}

async function load(cursor) {
  const number = ++asked;
  const query = new URLSearchParams(shown);
  if (cursor) query.set("cursor", cursor);
  const board = await ask(`api/leaderboards?${query}`);
  if (number !== asked) return null;
  if (!cursor) best = Math.max(1, board.entries[0]?.value ?? 1);
  next = board.next;
  const rows = board.entries.map(row);
  if (cursor) by("#entries").append(...rows);
  else by("#entries").replaceChildren(...rows);
  by("#more-row").hidden = !next;
  return { board, rows };
}

/// Shows the chosen leaderboard from its top.
async function show() {
  fit();
  const loaded = await load(null);
  if (!loaded) return;
  const { board } = loaded;
  const measure = titleOf(MEASURES, shown.by);
  const friends = shown.scope === "friends" ? say("boards.of-friends") : say("boards.of-everyone");
  by("#caption").replaceChildren(`${modeTitle()}: ${measure}`, make("small", {}, `${periodTitle()}, ${friends}`));
  by("#value-name").textContent = measure;
  by("#empty").hidden = by("#ranking").hidden = false;
  by("#empty").hidden = board.entries.length > 0;
  by("#ranking").hidden = board.entries.length === 0;
  const name = [modeTitle(), measure, periodTitle(), friends].join(", ");
  announce(board.entries.length ? sayCount("boards.said", board.entries.length, { name }) : say("boards.empty"));
  const left = Math.max(0, board.season.ends_s - Date.now() / 1000);
  const span = left > 172800 ? sayCount("boards.days", Math.floor(left / 86400)) : page.spanOf(left);
  by("#season").textContent = say("boards.ends", { name: board.season.name, date: page.dateOf(board.season.ends_s), left: span });
  finish("ready", { entries: by("#entries").rows.length, next: board.next !== null });
}

const remember = () => history.replaceState(null, "", `?${new URLSearchParams(shown)}`);

by("#filters").addEventListener("submit", (event) => event.preventDefault());
by("#filters").addEventListener("change", async ({ target }) => {
  const name = target.name || "period";
  shown[name] = target.value || "all";
  note(by("#failure"), "");
  try {
    await show();
    remember();
  } catch (wrong) {
    note(by("#failure"), wrong.message);
  }
});

by("#more").addEventListener("click", ({ currentTarget }) =>
  busy(currentTarget, by("#failure"), async () => {
    const loaded = await load(next);
    if (!loaded) return;
    announce(sayCount("boards.more", loaded.rows.length, { all: count(by("#entries").rows.length) }));
    if (!next) loaded.rows[0]?.querySelector("a")?.focus();
    finish("ready", { entries: by("#entries").rows.length, next: next !== null });
  }),
);

try {
  const [known, seasons, account] = await Promise.all([page.modes(), ask("api/seasons"), page.whoAmI()]);
  modes = known;
  showWho(account);
  shown.mode ??= modes[0].name;
  shown.period ??= "season";
  shown.by ??= "score";
  shown.scope = account ? (shown.scope ?? "all") : "all";
  choices("mode", modes.map(({ name, title }) => [name, title]));
  choices("by", MEASURES);
  choices("period", PERIODS);
  choices("scope", SCOPES);
  by("#scopes").hidden = !account?.keeps_name;
  by("#past").hidden = seasons.past.length === 0;
  by("#past-season").append(make("option", { value: "" }, say("boards.choose")), ...seasons.past.map((name) => make("option", { value: `season:${name}` }, name)));
  await show();
  by("#content").hidden = false;
} catch (wrong) {
  cannotShow(wrong);
}
