// Elements of the page, and what is shown in the same way everywhere.

/** The element of that id. */
export const byId = (id) => document.getElementById(id);

/** An element with attributes (functions are listeners, false leaves an attribute out) and children. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  set(made, attributes);
  made.append(...children.flat().filter((child) => child !== undefined));
  return made;
}

/** The same of SVG. */
export function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(made, attributes);
  made.append(...children.flat());
  return made;
}

function set(made, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
}

/** A share as a percentage with one decimal; what is not nothing is never shown as 0. */
export function percent(share) {
  if (!Number.isFinite(share)) return "—";
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  return `${(100 * share).toFixed(1)} %`;
}

/** A count with spaces between thousands. */
export const grouped = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");

/** A table of that name with a heading for each column; columns in `numbers` are set to the right. */
export function table(name, headings, rows, numbers = []) {
  const kind = (column) => (numbers.includes(column) ? "number" : undefined);
  const head = headings.map((text, column) => element("th", { scope: "col", class: kind(column) }, text));
  const body = rows.map((cells) => element("tr", {}, cells.map((text, column) => element("td", { class: kind(column) }, String(text)))));
  return element("table", { "aria-label": name }, element("thead", {}, element("tr", {}, head)), element("tbody", {}, body));
}

/** Says in `place` what went wrong, what may help, and offers ways on: `[[label, action], …]`. */
export function problem(place, error, ways = []) {
  const buttons = [...ways, ["Close", () => {}]].map(([label, action]) =>
    element("button", { type: "button", click: () => (place.replaceChildren(), action()) }, label));
  const remedy = error.remedy ? [element("p", { class: "faint" }, error.remedy)] : [];
  place.replaceChildren(element("div", { class: "problem" }, element("p", {}, error.message ?? String(error)), remedy, element("div", { class: "row" }, buttons)));
}

/** Has the browser keep `bytes` as a file. */
export function save(bytes, name, type = "application/octet-stream") {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
