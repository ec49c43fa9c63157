// What a page must be for everybody, as axe would have it: names, contrast, size, order, nothing wider than the window.

import assert from "node:assert/strict";

/** Roles of what people operate or must know of. */
const NAMED = ["button", "textbox", "combobox", "tab", "tabpanel", "link", "radio", "spinbutton", "meter", "progressbar", "img", "image", "region", "group", "table", "Audio"];

/** Runs in the page: texts of too little contrast, what sticks out, what is too small, ids that come twice, headings that skip. */
function seen() {
  const faults = [];
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && element.getClientRects().length > 0;
  const rgba = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(element) || element.closest("script,noscript,[disabled],option")) continue;
    const style = getComputedStyle(element);
    const colour = rgba(element.closest("svg") ? style.fill : style.color);
    const [a, b] = [luminance(colour) + 0.05, luminance(ground(element)) + 0.05];
    const size = parseFloat(style.fontSize);
    const enough = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    texts += 1;
    if (Math.max(a / b, b / a) < enough) faults.push(`contrast ${Math.max(a / b, b / a).toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 40)}`);
    if (size < 12) faults.push(`letters of ${size} pixels: ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  if (texts < 20) faults.push(`only ${texts} texts were looked at`);
  for (const element of document.body.querySelectorAll("*")) {
    if (!shown(element) || element.closest("svg,.skip") || element.parentElement.closest(".scroll")) continue;
    const { left, right } = element.getBoundingClientRect();
    if (right > innerWidth + 1 || left < -1) faults.push(`sticks out to ${right.toFixed(0)}: ${element.tagName} ${element.id} ${element.className}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) faults.push(`scrolls sideways: ${document.documentElement.scrollWidth} of ${innerWidth}`);
  for (const element of document.querySelectorAll("button,select,input,summary,textarea")) {
    if (!shown(element)) continue;
    const { width, height } = (element.type === "radio" ? element.closest("label") : element).getBoundingClientRect();
    if (width < 24 || height < 24) faults.push(`${width.toFixed(0)} × ${height.toFixed(0)} pixels: ${element.tagName} ${element.id || element.textContent}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  ids.filter((id, place) => ids.indexOf(id) !== place).forEach((id) => faults.push(`the id ${id} comes twice`));
  for (const element of document.querySelectorAll("[aria-controls],[aria-labelledby],label[for]")) {
    for (const id of `${element.getAttribute("aria-controls") ?? ""} ${element.getAttribute("aria-labelledby") ?? ""} ${element.getAttribute("for") ?? ""}`.split(" ")) {
      if (id && !document.getElementById(id)) faults.push(`there is no ${id}, which ${element.tagName} names`);
    }
  }
  let level = 0;
  for (const heading of document.querySelectorAll("h1,h2,h3,h4")) {
    if (!shown(heading)) continue;
    const its = Number(heading.tagName[1]);
    if (its > level + 1) faults.push(`a heading skips a level: ${heading.textContent}`);
    level = its;
  }
  if (document.querySelectorAll("h1").length !== 1 || !document.documentElement.lang || !document.querySelector("main") || !document.title) faults.push("no h1, language, main or title");
  for (const svg of document.querySelectorAll("svg.plot")) {
    if (!shown(svg)) continue;
    const frame = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll("text")) {
      const box = text.getBoundingClientRect();
      if (box.left < frame.left - 2 || box.right > frame.right + 2 || box.bottom > frame.bottom + 2) faults.push(`outside its plot: ${text.textContent}`);
    }
  }
  return faults;
}

/** Fails where the page as it is shown has a fault. */
export async function audit(page, what) {
  const faults = await page.value(`(${seen})()`);
  const { nodes } = await page.send("Accessibility.getFullAXTree");
  const controls = nodes.filter(({ ignored, role }) => !ignored && NAMED.includes(role?.value));
  for (const { role, name, properties = [] } of controls) {
    const isOfBrowser = properties.some(({ name, value }) => name === "roledescription" && value.value === "browser");
    if (!name?.value?.trim() && !isOfBrowser && role.value !== "group") faults.push(`a ${role.value} without a name`);
  }
  assert.ok(controls.length > 8, `${what}: only ${controls.length} controls`);
  assert.deepEqual(faults, [], what);
}

/** Goes through the page by the Tab key: each stop is seen and has an outline. Gives the stops. */
export async function tabThrough(page, most = 60) {
  const stops = [];
  await page.value("document.querySelector('.skip').focus()");
  for (let stop = 0; stop < most; stop++) {
    await page.key("Tab");
    const at = await page.value(`(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return;
      const seen = e.matches(".file > input") ? e.nextElementSibling : e;
      const box = seen.getBoundingClientRect(), style = getComputedStyle(seen);
      return { name: e.id || e.getAttribute("aria-label") || e.textContent.trim() || e.tagName, outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0, size: box.width * box.height };
    })()`);
    if (!at) break;
    assert.ok(at.outline && at.size > 0, `focus is not seen at ${at.name}`);
    stops.push(at.name);
  }
  return stops;
}
