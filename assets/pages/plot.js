// A plot of days: a column for each, and the same as a table for who cannot see it.
import { count, dayOf, make, say, sayCount } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";
const [HEIGHT, LEFT, BOTTOM, TOP] = [190, 50, 26, 12];

function draw(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/// The smallest round number that is at least `most`; 10 at least.
function roundUp(most) {
  const power = 10 ** Math.max(1, Math.floor(Math.log10(Math.max(1, most))));
  return power * [1, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= most);
}

/// The scores of days, the oldest first, as wide as there is room in pixels.
export function plotOf(days, room) {
  const WIDTH = Math.max(260, room);
  const top = roundUp(Math.max(...days.map(({ score }) => score)));
  const [width, height] = [(WIDTH - LEFT) / days.length, HEIGHT - TOP - BOTTOM];
  const y = (score) => TOP + height * (1 - Math.max(0, score) / top);
  const picture = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "plot", role: "img", "aria-label": summary(days) });
  const fade = draw("linearGradient", { id: "column", x1: 0, y1: 0, x2: 0, y2: 1 }, draw("stop", { offset: 0, "stop-color": "#8df0ff" }), draw("stop", { offset: 1, "stop-color": "#2591c9" }));
  picture.append(draw("defs", {}, fade));
  for (const part of [0, 0.5, 1]) {
    picture.append(draw("line", { x1: LEFT, x2: WIDTH, y1: y(top * part), y2: y(top * part) }));
    picture.append(draw("text", { x: LEFT - 9, y: y(top * part) + 4, "text-anchor": "end" }, count(Math.round(top * part))));
  }
  days.forEach(({ day, score, results }, at) => {
    const x = LEFT + width * at + width * 0.14;
    const from = Math.min(y(score), HEIGHT - BOTTOM - 2);
    const column = draw("rect", { x, y: from, width: width * 0.72, height: HEIGHT - BOTTOM - from, rx: 3, class: results ? "column" : "none" });
    column.append(draw("title", {}, sayCount("plot.column", results, { day: dayOf(day), score: count(score) })));
    picture.append(column);
    // The last day, and one a week as far as their names do not touch.
    if (at === days.length - 1 || (at % 7 === days.length % 7 && at < days.length - 7)) {
      picture.append(draw("text", { x: x + width * 0.36, y: HEIGHT - 7, "text-anchor": at === days.length - 1 ? "end" : "middle" }, dayOf(day)));
    }
  });
  return [picture, table(days)];
}

function summary(days) {
  const played = days.filter(({ results }) => results > 0);
  if (!played.length) return say("plot.none");
  const best = played.reduce((best, day) => (day.score > best.score ? day : best));
  const sum = played.reduce((sum, { score }) => sum + score, 0);
  return say("plot.summary", { sum: count(sum), played: played.length, days: days.length, day: dayOf(best.day), best: count(best.score) });
}

function table(days) {
  const cell = (text) => make("td", { className: "right" }, text);
  const rows = days.toReversed().map(({ day, score, results }) => make("tr", {}, make("th", { scope: "row" }, dayOf(day)), cell(count(score)), cell(count(results))));
  const heads = [[say("plot.day"), ""], [say("player.score"), "right"], [say("player.games"), "right"]].map(([text, className]) => make("th", { scope: "col", className }, text));
  return make("details", {}, make("summary", {}, say("plot.table")), make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)));
}
