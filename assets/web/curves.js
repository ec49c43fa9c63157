// Curves of a training, drawn as the program's reports draw them.

import { element, percent, shape } from "./dom.js";

const HEIGHT = 230;
const [LEFT, RIGHT, TOP, BOTTOM] = [46, 12, 12, 34];
/** Most points of a line. */
const POINTS = 600;

/** Loss and accuracy of `{records, losses, epochs, steps}` as two figures of that width in pixels. */
export function curves({ records, losses, epochs, steps }, width) {
  const whole = Math.max(epochs, 1);
  const perEpoch = steps > 0 ? steps / whole : Math.max(losses.length, 1);
  const by = (value) => records.map((record) => [record.epoch, value(record)]).filter(([, y]) => Number.isFinite(y));
  const best = records.filter((record) => record.best).at(-1)?.epoch;
  const single = thinned(losses.map((loss, step) => [(step + 1) / perEpoch, loss]));
  return [
    figure("Loss.", "Cross-entropy. Pale: single steps; strong: whole epochs.", [whole, width], best, [
      { name: "training, steps", style: "c0 light", points: single },
      { name: "training", style: "c0 dashed", points: by((record) => record.train?.loss), dots: true },
      { name: "validation", style: "c1", points: by((record) => record.validation?.loss), dots: true },
    ]),
    figure("Accuracy.", "UA is the mean recall of the classes.", [whole, width], best, [
      { name: "validation UA", style: "c1", points: by((record) => record.validation?.ua), dots: true },
      { name: "validation WA", style: "c2 dashed", points: by((record) => record.validation?.wa), dots: true },
      { name: "training UA", style: "c0 light", points: by((record) => record.train?.ua) },
    ], 1),
  ];
}

/** `top`: the highest value, where it is known; it is a share then. */
function figure(title, remark, [epochs, width], best, series, top) {
  const drawn = series.filter(({ points }) => points.length > 0);
  const most = top ?? Math.max(...drawn.flatMap(({ points }) => points.map(([, y]) => y)), 0.1);
  const every = top === undefined ? nice(most / 5) : 0.2;
  const rules = Array.from({ length: Math.ceil(most / every - 1e-9) + 1 }, (_, rule) => rule * every);
  const highest = rules.at(-1);
  const said = top === undefined ? (value) => String(Number(value.toFixed(3))) : (value) => `${Math.round(100 * value)} %`;
  const x = (epoch) => LEFT + ((width - LEFT - RIGHT) * epoch) / epochs;
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * Math.min(value, highest)) / highest;
  const text = (where, anchor, content) => shape("text", { ...where, "text-anchor": anchor, class: "tick" }, content);
  const grid = rules.flatMap((value) => [
    shape("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: value === 0 ? "rule" : "grid" }),
    text({ x: LEFT - 6, y: y(value) + 4.5 }, "end", said(value)),
  ]);
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].find((step) => epochs / step <= 6) ?? 5000;
  const ticks = Array.from({ length: Math.floor(epochs / step) + 1 }, (_, tick) => text({ x: x(tick * step), y: HEIGHT - BOTTOM + 16 }, "middle", String(tick * step)));
  const axis = text({ x: width - RIGHT, y: HEIGHT - 4 }, "end", "epochs");
  const lines = drawn.flatMap(({ style, points, dots }) => [
    shape("polyline", { class: `curve ${style}`, points: points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }),
    ...(dots ? points.map(([at, value]) => shape("circle", { class: `dot ${style}`, cx: x(at), cy: y(value), r: 3 })) : []),
  ]);
  const mark = best === undefined ? [] : [shape("line", { class: "mark", x1: x(best), x2: x(best), y1: TOP, y2: HEIGHT - BOTTOM })];
  const label = [title, ...drawn.map(({ name, points }) => `${name}: ${top === undefined ? points.at(-1)[1].toFixed(4) : percent(points.at(-1)[1])}`)].join(" ");
  const svg = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, class: "plot", role: "img", "aria-label": label }, grid, ticks, axis, mark, lines);
  const legend = element("ul", { class: "legend" }, series.map(({ name, style }) =>
    element("li", {}, shape("svg", { viewBox: "0 0 30 10", "aria-hidden": "true" }, shape("line", { class: `curve ${style}`, x1: 0, x2: 30, y1: 5, y2: 5 })), name)));
  return element("figure", {}, element("figcaption", {}, element("b", {}, title), ` ${remark}`), legend, svg);
}

/** The next higher of 1, 2, 2.5, 5 times a power of ten. */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5].map((factor) => factor * power).find((step) => step >= value) ?? 10 * power;
}

function thinned(points) {
  const every = Math.ceil(points.length / POINTS);
  return points.filter((_, place) => place % every === 0 || place === points.length - 1);
}
