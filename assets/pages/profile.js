// A player: totals, ranks, ratings, the last 30 days, the last games.
const page = await window.broadside.load("pages/page", "@build@", "pages/profile.js");
const { announce, ask, beside, busy, by, cannotShow, count, finish, make, percent, say, sayCount, showWho, spanOf } = page;
const { plotOf } = await import("./plot.js");

const OUTCOMES = { won: say("player.won"), lost: say("player.lost"), drawn: say("player.drawn"), none: "–" };
const name = decodeURIComponent(page.ownPath().replace(/^u\//, "").replace(/\/$/, ""));
const path = `api/players/${encodeURIComponent(name)}`;
let titles = new Map();
let next = null;

const titleOf = (mode) => titles.get(mode) ?? mode;
const cell = (...children) => make("td", { className: "right num" }, ...children);
const rankText = (rank) => (rank === undefined ? "–" : rank > 10000 ? say("player.beyond", { rank: count(10000) }) : count(rank));

function tiles({ totals, ranks, ratings }) {
  const sum = (what) => totals.reduce((sum, mode) => sum + mode[what], 0);
  const best = ranks.toSorted((a, b) => a.rank - b.rank)[0];
  const rating = ratings.toSorted((a, b) => b.rating - a.rating)[0];
  const shots = sum("shots");
  const tile = (what, value, more) => make("div", { className: "tile" }, make("dt", {}, what), make("dd", {}, value, more && make("small", {}, ` ${more}`)));
  return [
    tile(say("player.score"), count(sum("score"))),
    best && tile(say("player.best-rank"), rankText(best.rank), best.period === "season" ? say("player.in-season", { mode: titleOf(best.mode) }) : titleOf(best.mode)),
    rating && tile(say("player.rating"), count(rating.rating), `± ${count(rating.deviation)}${rating.provisional ? `, ${say("player.provisional")}` : ""}`),
    tile(say("player.kills"), count(sum("kills")), sayCount("player.some-deaths", sum("deaths"))),
    tile(say("player.accuracy"), percent(shots ? sum("hits") / shots : null)),
    tile(say("player.best-streak"), count(Math.max(0, ...totals.map((mode) => mode.longest_streak)))),
    tile(say("player.wins"), count(sum("wins")), sayCount("player.of-games", sum("results"))),
    tile(say("player.time"), page.hoursOf(sum("played_s"))),
  ].filter(Boolean);
}

function totalsRow(mode, { ranks, ratings }) {
  const rank = (period) => rankText(ranks.find((rank) => rank.mode === mode.mode && rank.period === period)?.rank);
  const rating = ratings.find((rating) => rating.mode === mode.mode);
  const strength = rating ? [count(rating.rating), rating.provisional && make("small", { className: "quiet" }, ` ${say("player.provisional")}`)] : ["–"];
  return make(
    "tr", {}, make("th", { scope: "row" }, titleOf(mode.mode)), cell(count(mode.score)), cell(rank("all")), cell(rank("season")),
    cell(...strength), cell(count(mode.wins)), cell(count(mode.kills)), cell(count(mode.deaths)), cell(percent(mode.accuracy)),
    cell(count(mode.longest_streak)), cell(count(mode.results)), cell(spanOf(mode.played_s)),
  );
}

function resultRow(result) {
  const { outcome, kind, recorded, score, kills, deaths, accuracy, longest_streak, played_s, ended_s } = result;
  const button = make("button", { type: "button", className: "slim", "aria-expanded": "false" }, say("player.players"));
  button.append(make("span", { className: "hidden-text" }, ` ${say("player.in-match", { when: page.timeOf(ended_s) })}`));
  const row = make(
    "tr", {}, make("td", {}, page.timeElement(ended_s)), make("td", {}, titleOf(result.mode)),
    make("td", {}, make("span", { className: outcome === "none" ? "" : `badge ${outcome}` }, OUTCOMES[outcome])),
    cell(count(score)), cell(count(kills)), cell(count(deaths)), cell(percent(accuracy)), cell(count(longest_streak)), cell(spanOf(played_s)),
    make("td", { className: "right" }, make("span", { className: "actions" }, recorded && watchLink(result), kind === "match" && button)),
  );
  button.addEventListener("click", () => busy(button, by("#results-failure"), () => unfold(row, button, result.match)));
  return row;
}

/// A link to the recording of a match.
function watchLink({ match, ended_s }) {
  const link = make("a", { className: "button slim", href: beside(`replay/${match}`) }, say("player.watch"));
  link.append(make("span", { className: "hidden-text" }, ` ${say("player.the-match", { when: page.timeOf(ended_s) })}`));
  return link;
}

/// Where the player is, and what a friend, or who may become one, can do about it.
async function showPresence({ name, online, room }, account) {
  const link = (text, look, path) => make("a", { className: `button slim ${look}`, href: beside(path) }, text);
  const below = room && new URL(room.join, location.href).search;
  const where = room ? say("presence.plays", { mode: titleOf(room.mode), room: room.id }) : say("presence.online");
  by("#presence").replaceChildren(
    ...[
      online && make("span", { className: "online" }, where), room?.joinable && link(say("join"), "primary", below), room && link(say("watch"), "", `${below}&watch=1`),
      account?.keeps_name && account.name !== name && (await friendButton(name)),
    ].filter(Boolean),
  );
}

async function friendButton(name) {
  const { friends } = await ask("api/friends").catch(() => ({ friends: [] }));
  const friendship = friends.find((friend) => friend.name === name)?.friendship;
  if (friendship === "friends") return make("span", { className: "badge" }, say("friend.is"));
  if (friendship === "requested") return make("span", { className: "badge" }, say("friend.requested"));
  const button = make("button", { type: "button", className: "slim" }, friendship === "asked" ? say("friend.accept") : say("friend.add"));
  button.addEventListener("click", () =>
    busy(button, by("#failure"), async () => {
      const made = await ask(`api/friends/${encodeURIComponent(name)}`, { method: "PUT" });
      const done = made.friendship === "friends" ? say("friend.is") : say("friend.requested");
      button.replaceWith(make("span", { className: "badge", tabIndex: -1 }, done));
      announce(`${name}: ${done}.`);
    }),
  );
  return button;
}

/// Shows or hides everyone who was in a match, in a row below.
async function unfold(row, button, match) {
  if (button.ariaExpanded === "true") {
    row.nextElementSibling.remove();
    button.ariaExpanded = "false";
    return;
  }
  const { players } = await ask(`api/matches/${match}`);
  const line = ({ name, outcome, score, kills, deaths }) => {
    const figures = [say("player.some-score", { score: count(score) }), sayCount("player.some-kills", kills), sayCount("player.some-deaths", deaths)];
    if (outcome !== "none") figures.unshift(OUTCOMES[outcome]);
    return make("li", {}, make("b", { dir: "auto" }, name ?? say("player.gone")), make("span", {}, figures.join(", ")));
  };
  row.after(make("tr", {}, make("td", { colSpan: row.cells.length }, make("ul", { className: "people small" }, ...players.map(line)))));
  button.ariaExpanded = "true";
}

async function results(cursor) {
  const found = await ask(`${path}/results?limit=10${cursor ? `&cursor=${cursor}` : ""}`);
  next = found.next;
  const rows = found.results.map(resultRow);
  by("#results").append(...rows);
  by("#more-row").hidden = !next;
  return rows;
}

const finished = () => finish("ready", { results: by("#results").rows.length, next: next !== null });

by("#more").addEventListener("click", ({ currentTarget }) =>
  busy(currentTarget, by("#results-failure"), async () => {
    const rows = await results(next);
    announce(sayCount("player.more-games", rows.length));
    // The button is gone after the last page, and the keyboard with it.
    if (!next) by("#results-title").closest("[tabindex]").focus();
    finished();
  }),
);

try {
  const [player, modes, account] = await Promise.all([ask(path), page.modes(), page.whoAmI()]);
  titles = new Map(modes.map(({ name, title }) => [name, title]));
  showWho(account);
  document.title = player.name;
  by("#name").textContent = player.name;
  by("#since").textContent = say("player.since", { date: page.dateOf(player.since_s) });
  by("#tiles").append(...tiles(player));
  await showPresence(player, account);
  by("#totals").append(...player.totals.map((mode) => totalsRow(mode, player)));
  await results(null);
  by("#content").hidden = false;
  by("#plot").append(...plotOf(player.days, by("#plot").clientWidth));
  finished();
} catch (wrong) {
  cannotShow(wrong);
}
