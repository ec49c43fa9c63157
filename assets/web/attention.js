// What attends to what: words against time under the waveform, both ways, as the program's pictures have it.

import { element, percent, table } from "./dom.js";
import { RATE, outline } from "./sound.js";

const WAVE = 64;
const ROW = 22;
const AXIS = 26;
const LETTERS = '13px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif';
/** Which side of a map a stream stands on: what comes later stands along it. */
const ORDER = ["text", "query", "visual", "audio"];
const NOUNS = { text: "words", query: "query", visual: "pictures", audio: "sound" };

/** All maps of a prediction, with a choice of heads, in `place`. `samples` is the recording or undefined. */
export function showAttention(place, prediction, samples) {
  const layers = prediction.attention ?? [];
  if (layers.length === 0) {
    place.replaceChildren(element("p", { class: "faint" }, "This model attends to nothing that could be shown."));
    return [];
  }
  const most = Math.max(...layers.map((layer) => layer.heads));
  const heads = [["mean", most === 1 ? "the one head" : `the mean of ${most} heads`], ...Array.from({ length: most }, (_, head) => [head, `head ${head + 1}`])];
  const choice = element("select", { id: "heads" }, heads.map(([value, text]) => element("option", { value }, text)));
  const maps = element("div", {});
  let shown = [];
  const show = () => {
    const head = choice.value === "mean" ? undefined : Number(choice.value);
    shown.forEach((map) => map.close());
    const fit = layers.filter((layer) => head === undefined || head < layer.heads);
    shown = fit.map((layer) => new AttentionMap(layer, head, prediction, samples));
    maps.replaceChildren(...shown.map((map) => map.figure));
  };
  choice.addEventListener("change", show);
  const chooser = most === 1 ? [] : [element("label", { for: "heads" }, "Shown"), choice];
  place.replaceChildren(element("div", { class: "above" }, element("h2", {}, "Attention"), chooser), maps);
  show();
  return { moment: (seconds) => shown.forEach((map) => map.moment(seconds)) };
}

/** One map: weights `[down, along]`, and what its sides are. */
class AttentionMap {
  #canvas = element("canvas", { "aria-hidden": "true" });
  #readout = element("output", { class: "readout", role: "status" });
  #observer = new ResizeObserver(() => this.#draw());
  #scheme = matchMedia("(prefers-color-scheme:dark)");
  #redraw = () => this.#draw();
  /** Row and column that are marked. */
  #at;
  #playing;
  #ground;

  constructor(layer, head, prediction, samples) {
    const by = ORDER.includes(layer.by) ? layer.by : "query";
    const turned = ORDER.indexOf(layer.over) < ORDER.indexOf(by);
    this.down = turned ? layer.over : by;
    this.along = turned ? by : layer.over;
    this.asks = by;
    this.size = turned ? [layer.columns, layer.rows] : [layer.rows, layer.columns];
    this.weights = mean(layer, head, turned);
    this.largest = this.weights.reduce((most, weight) => Math.max(most, weight), 1e-12);
    this.samples = this.along === "audio" ? samples : undefined;
    this.step = prediction.frameSeconds;
    this.hop = prediction.hopSeconds ?? 0;
    this.seconds = samples ? samples.length / RATE : this.size[1] * this.step;
    this.labels = this.#labels(prediction);
    this.figure = this.#figure(layer, by);
    this.#at = this.#strongest();
    this.#observer.observe(this.#canvas);
    this.#scheme.addEventListener("change", this.#redraw);
    this.#tell();
  }

  close() {
    this.#observer.disconnect();
    this.#scheme.removeEventListener("change", this.#redraw);
  }

  /** Marks a moment of the recording while it is played. */
  moment(seconds) {
    if (this.along !== "audio") return;
    this.#playing = seconds;
    this.#draw();
  }

  #labels({ tokens, known }) {
    const [rows] = this.size;
    if (this.down === "text" && tokens.length === rows) return tokens.map((word, place) => ({ word, known: known[place] }));
    if (this.down === "text" && rows === 1) return [{ word: "(no word)", known: false }];
    if (this.down === "query") return [{ word: "all", known: true }];
    return Array.from({ length: rows }, (_, row) => ({ word: String(row + 1), known: true }));
  }

  #figure(layer, by) {
    const [from, to] = [NOUNS[by] ?? "query", NOUNS[layer.over] ?? layer.over];
    const title = by === "query" ? `From the ${layer.query ?? layer.by} to the ${to}.` : `From ${from} to ${to}.`;
    const sums = {
      text: "Each row sums to 1: where in the recording a word looks.",
      audio: "Each column sums to 1: which words a moment of the recording looks at.",
    }[by] ?? "The weights sum to 1.";
    const map = element("div", {
      class: "map", tabindex: "0", role: "application", "aria-roledescription": "attention map",
      "aria-label": `${title} ${this.labels.length} rows, ${this.size[1]} moments. The arrow keys go from one to another.`,
      keydown: (event) => this.#key(event),
      pointermove: (event) => this.#point(event),
      pointerdown: (event) => this.#point(event),
    }, this.#canvas);
    const unknown = this.down === "text" && this.labels.some(({ known }) => !known) ? " Words in brackets are unknown to the model." : "";
    return element("figure", {}, element("figcaption", {}, element("b", {}, title), ` ${sums}${unknown}`), map, this.#readout,
      element("details", {}, element("summary", {}, "As a table"), element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, this.#table(title))));
  }

  /** A row of the map in figures: its strongest moments. */
  #table(title) {
    const rows = this.labels.map(({ word, known }, row) => {
      const weights = this.#row(row);
      const places = weights.map((_, column) => column).sort((a, b) => weights[b] - weights[a]).slice(0, 3);
      const average = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
      return [known ? word : `[${word}]`, ...[0, 1, 2].map((rank) => (places[rank] === undefined ? "" : `${percent(weights[places[rank]])} at ${this.#when(places[rank])}`)), percent(average)];
    });
    return table(title, [this.down === "text" ? "word" : this.down, "strongest", "second", "third", "mean"], rows, [1, 2, 3, 4]);
  }

  #row(row) {
    const [, columns] = this.size;
    return Array.from(this.weights.subarray(row * columns, (row + 1) * columns));
  }

  #strongest() {
    const place = this.weights.reduce((best, weight, place) => (weight > this.weights[best] ? place : best), 0);
    return [Math.floor(place / this.size[1]), place % this.size[1]];
  }

  /** The seconds that a column spans. */
  #span(column) {
    const from = column * this.step - this.hop / 2;
    return [Math.max(0, from), Math.min(from + this.step, this.seconds)];
  }

  #when(column) {
    if (this.along !== "audio") return `${NOUNS[this.along] ?? this.along} ${column + 1}`;
    return `${this.#span(column).map((edge) => edge.toFixed(2)).join("–")} s`;
  }

  #tell() {
    const [row, column] = this.#at;
    const { word, known } = this.labels[row];
    const weight = percent(this.weights[row * this.size[1] + column]);
    const name = this.down === "text" ? `“${word}”${known ? "" : " (unknown)"}` : word;
    const when = this.#when(column);
    this.#readout.textContent = this.asks === "audio" ? `At ${when}, ${weight} of what is looked at is ${name}.` : `${name} looks at ${when} with ${weight} of its weight.`;
  }

  #go(row, column) {
    const [rows, columns] = this.size;
    this.#at = [Math.min(Math.max(row, 0), rows - 1), Math.min(Math.max(column, 0), columns - 1)];
    this.#tell();
    this.#draw();
  }

  #key(event) {
    const [row, column] = this.#at;
    const far = event.shiftKey ? 10 : 1;
    const to = {
      ArrowLeft: [row, column - far], ArrowRight: [row, column + far], ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
      Home: [row, 0], End: [row, this.size[1] - 1],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    this.#go(...to);
  }

  #point({ clientX, clientY }) {
    const box = this.#canvas.getBoundingClientRect();
    const { left, width, top } = this.layout ?? {};
    if (width === undefined) return;
    const x = (clientX - box.left - left) / width;
    const y = clientY - box.top - top;
    const row = y < 0 ? this.#at[0] : Math.floor(y / ROW);
    this.#go(row, this.along === "audio" ? Math.floor((x * this.seconds + this.hop / 2) / this.step) : Math.floor(x * this.size[1]));
  }

  #draw() {
    const canvas = this.#canvas;
    const whole = this.figure.isConnected ? canvas.clientWidth : 0;
    if (whole === 0) return;
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    const scale = devicePixelRatio || 1;
    const [rows, columns] = this.size;
    const top = this.samples ? WAVE + 8 : 2;
    const height = top + rows * ROW + AXIS;
    const drawn = [whole, scale, colour("--paper")].join();
    if (this.#ground?.drawn !== drawn) {
      canvas.style.height = `${height}px`;
      canvas.width = Math.round(whole * scale);
      canvas.height = Math.round(height * scale);
      this.#ground = this.#drawGround(whole, height, top, scale, colour);
      this.#ground.drawn = drawn;
    }
    const { picture, left, width, texts } = this.#ground;
    this.layout = { left, width, top };
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, 0, 0);
    pen.scale(scale, scale);
    pen.font = LETTERS;

    const [marked, at] = this.#at;
    texts.forEach((text, row) => {
      pen.fillStyle = row === marked ? colour("--ink") : colour("--faint");
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      pen.fillText(text, left - 8, top + row * ROW + ROW / 2);
    });
    const [from, to] = this.#edges(at);
    pen.strokeStyle = colour("--c1");
    pen.lineWidth = 2;
    if (this.samples) {
      // How strongly the marked row is looked at, or looks, over the waveform.
      const weights = this.weights.subarray(marked * columns, (marked + 1) * columns);
      const most = weights.reduce((most, weight) => Math.max(most, weight), 1e-12);
      pen.beginPath();
      weights.forEach((weight, column) => {
        const y = WAVE - 2 - (weight / most) * (WAVE - 6);
        this.#edges(column).forEach((x) => pen.lineTo(x, y));
      });
      pen.stroke();
      line(pen, (from + to) / 2, 0, WAVE, colour("--c1"), 1);
    }
    pen.lineWidth = 2;
    pen.strokeRect(from - 1, top + marked * ROW - 1, Math.max(to - from, 1) + 2, ROW + 1);
    if (this.#playing !== undefined) line(pen, this.#x(Math.min(this.#playing, this.seconds)), 0, height - AXIS, colour("--ink"), 1);
  }

  /** What does not follow the pointer: waveform, weights and axis. */
  #drawGround(whole, height, top, scale, colour) {
    const [rows, columns] = this.size;
    const picture = element("canvas", { width: Math.round(whole * scale), height: Math.round(height * scale) });
    const pen = picture.getContext("2d");
    pen.scale(scale, scale);
    pen.font = LETTERS;
    const texts = this.labels.map(({ word, known }) => shorten(pen, known ? word : `[${word}]`, whole * 0.34));
    const left = texts.reduce((widest, text) => Math.max(widest, pen.measureText(text).width), 24) + 8;
    const width = whole - left - 1;
    this.layout = { left, width, top };
    if (this.samples) this.#wave(pen, left, width, colour);
    const levels = Array.from({ length: 21 }, (_, level) => colour(`--h${level}`));
    // Of more columns than pixels the strongest of each pixel is shown.
    const every = Math.max(1, Math.floor(columns / width));
    for (let row = 0; row < rows; row++) {
      const weights = this.weights.subarray(row * columns, (row + 1) * columns);
      for (let column = 0; column < columns; column += every) {
        const last = Math.min(column + every, columns);
        let weight = 0;
        for (let place = column; place < last; place++) weight = Math.max(weight, weights[place]);
        const [from] = this.#edges(column);
        const [, to] = this.#edges(last - 1);
        pen.fillStyle = levels[Math.round((weight / this.largest) * 20)];
        pen.fillRect(from, top + row * ROW, Math.max(to - from, 0) + 0.6, ROW - 1);
      }
    }
    this.#axis(pen, left, width, height - AXIS, colour);
    return { picture, left, width, texts };
  }

  #x(seconds) {
    return this.layout.left + (this.layout.width * seconds) / this.seconds;
  }

  /** Where a column begins and ends, in pixels. */
  #edges(column) {
    if (this.along === "audio") return this.#span(column).map((seconds) => this.#x(seconds));
    return [column, column + 1].map((edge) => this.layout.left + (this.layout.width * edge) / this.size[1]);
  }

  #wave(pen, left, width, colour) {
    const middle = WAVE / 2;
    pen.fillStyle = colour("--c0");
    pen.globalAlpha = 0.55;
    outline(this.samples, Math.max(Math.round(width), 1)).forEach(([low, high], column) => {
      const [from, to] = [high, low].map((value) => middle - value * (middle - 2));
      pen.fillRect(left + column, from, 1, Math.max(to - from, 0.8));
    });
    pen.globalAlpha = 1;
  }

  #axis(pen, left, width, y, colour) {
    pen.fillStyle = colour("--faint");
    pen.textBaseline = "alphabetic";
    if (this.along !== "audio") {
      pen.textAlign = "center";
      pen.fillText(NOUNS[this.along] ?? this.along, left + width / 2, y + 16);
      return;
    }
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300].find((step) => (width * step) / this.seconds >= 44) ?? 600;
    for (let tick = 0; tick * step <= this.seconds + 1e-9; tick++) {
      const at = left + (width * tick * step) / this.seconds;
      line(pen, at, y, y + 4, colour("--faint"), 1);
      pen.textAlign = tick === 0 ? "left" : at > left + width - 20 ? "right" : "center";
      pen.fillText(`${Number((tick * step).toFixed(1))} s`, at, y + 17);
    }
  }
}

/** Weights `[down, along]` of a head, or the mean of all. */
function mean({ heads, rows, columns, weights }, head, turned) {
  const of = head === undefined ? Array.from({ length: heads }, (_, head) => head) : [head];
  const means = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const sum = of.reduce((sum, head) => sum + weights[(head * rows + row) * columns + column], 0);
      means[turned ? column * rows + row : row * columns + column] = sum / of.length;
    }
  }
  return means;
}

function shorten(pen, text, most) {
  if (pen.measureText(text).width <= most) return text;
  let length = text.length - 1;
  while (length > 1 && pen.measureText(`${text.slice(0, length)}…`).width > most) length--;
  return `${text.slice(0, length)}…`;
}

function line(pen, x, from, to, colour, width) {
  pen.beginPath();
  pen.moveTo(x, from);
  pen.lineTo(x, to);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
}
