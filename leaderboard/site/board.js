"use strict";
// The leaderboard's script: theme, sorting and filtering, curves, and two entries side by side. It asks for
// nothing but files that lie beside the pages, and writes text as text and never as HTML.
window.flagbench = (() => {
  const THEMES = ["as the system", "light", "dark"];
  const KEPT = "flagbench-theme";
  const SHOWN = 100; // rows of a table before "show all": enough to read, few enough to lay out at once
  const UNIT = 10000; // steps of a curve in its first value
  const DAY = 86400000;
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

  // Theme. Set before the page is drawn, so that it does not flash.

  function kept() {
    try {
      return localStorage.getItem(KEPT);
    } catch {
      return null; // a reader may have forbidden storage
    }
  }

  function setTheme(name) {
    if (THEMES.indexOf(name) > 0) document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
  }

  function themeButton(button) {
    let place = Math.max(THEMES.indexOf(kept()), 0);
    const show = () => (button.textContent = `Theme: ${THEMES[place]}`);
    button.hidden = false;
    show();
    button.addEventListener("click", () => {
      place = (place + 1) % THEMES.length;
      setTheme(THEMES[place]);
      show();
      try {
        localStorage.setItem(KEPT, THEMES[place]);
      } catch {
        // the choice then holds for this page
      }
    });
  }

  // Elements.

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function drawn(name, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  // Sorting and filtering. Rows that stand in no ranking are never sorted among those that do.

  function readRow(row) {
    return {
      row,
      always: "always" in row.dataset,
      words: `${row.textContent} ${row.dataset.words || ""}`.toLowerCase(),
      marks: (row.dataset.marks || "").split(" "),
      badge: row.dataset.badge,
      values: [...row.cells].map((cell) => ("v" in cell.dataset ? Number(cell.dataset.v) : NaN)),
      name: row.cells[1] ? row.cells[1].textContent : "",
    };
  }

  function entries(table, form) {
    const groups = [...table.tBodies].map((body) => ({
      body,
      heading: body.querySelector("tr.group"),
      rows: [...body.querySelectorAll("tr[data-row]")].map(readRow),
    }));
    const total = groups.flatMap((group) => group.rows).filter((each) => !each.always).length;
    const count = form.parentNode.querySelector(".count");
    const more = form.parentNode.querySelector(".more");
    const collator = new Intl.Collator("en");
    let limit = SHOWN;

    function matches(each) {
      const fields = form.elements;
      const asked = fields.words.value.toLowerCase().split(/\s+/).filter(Boolean);
      return (
        asked.every((word) => each.words.includes(word)) &&
        (fields.badge.value === "" || fields.badge.value === each.badge) &&
        ![...form.querySelectorAll("input[data-hides]:checked")].some((box) =>
          each.marks.includes(box.dataset.hides)
        )
      );
    }

    function show() {
      let found = 0;
      let visible = 0;
      for (const group of groups) {
        let here = 0;
        for (const each of group.rows) {
          const fits = each.always || matches(each);
          if (fits && !each.always) found += 1;
          const hidden = !fits || (visible >= limit && !each.always);
          if (!hidden && !each.always) visible += 1;
          if (!hidden) here += 1;
          if (each.row.hidden !== hidden) each.row.hidden = hidden;
        }
        if (group.heading) group.heading.hidden = here === 0;
      }
      const cut = visible < found ? `, the first ${visible} of them shown` : "";
      count.textContent = `${found} of ${total} entries${cut}`;
      more.hidden = visible === found;
      more.firstElementChild.textContent = `Show all ${found}`;
    }

    function compare(index, falling) {
      if (index === 1) return (a, b) => (falling ? -1 : 1) * collator.compare(a.name, b.name);
      return (a, b) => {
        const [x, y] = [a.values[index], b.values[index]];
        // What is undefined stands last, whichever way the others are sorted.
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return falling ? y - x : x - y;
      };
    }

    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, index) => {
      if (!heading.dataset.first) return;
      const button = element("button", { type: "button" }, ...heading.childNodes);
      heading.append(button);
      if (!heading.hasAttribute("aria-sort")) heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const now = heading.getAttribute("aria-sort");
        const next = now === "none" ? heading.dataset.first : now === "descending" ? "ascending" : "descending";
        for (const other of headings) if (other.dataset.first) other.setAttribute("aria-sort", "none");
        heading.setAttribute("aria-sort", next);
        for (const group of groups) {
          group.rows.sort(compare(index, next === "descending"));
          group.body.replaceChildren(
            ...(group.heading ? [group.heading] : []),
            ...group.rows.map((each) => each.row)
          );
        }
        show();
      });
    });
    form.addEventListener("input", () => {
      limit = SHOWN;
      show();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    more.firstElementChild.addEventListener("click", () => {
      limit = Infinity;
      show();
      table.parentNode.focus();
    });
    form.hidden = false;
    show();
  }

  // Data: each file calls `flagbench.add` with its own name.

  const data = new Map();
  const waiting = new Map();

  function add(key, value) {
    data.set(key, value);
  }

  function load(key) {
    if (!waiting.has(key)) {
      waiting.set(
        key,
        new Promise((resolve, reject) => {
          const path = key.split("/").map(encodeURIComponent).join("/");
          const script = element("script", { src: `${document.body.dataset.top}data/${path}.js` });
          script.addEventListener("load", () => resolve(data.get(key)));
          script.addEventListener("error", () => reject(new Error(`data/${key}.js is missing`)));
          document.head.append(script);
        })
      );
    }
    return waiting.get(key);
  }

  // Curves.

  function running(steps, unit = 1) {
    let value = 0;
    return steps.map((step) => (value += step) / unit);
  }

  function drawdowns(curve) {
    let highest = -Infinity;
    return curve.map((value) => value / (highest = Math.max(highest, value)) - 1);
  }

  function ticks(low, high, wanted) {
    const raw = (high - low) / wanted || 1;
    const size = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * size).find((each) => each >= raw);
    const found = [];
    for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9; place++)
      found.push(place * step);
    return found;
  }

  function panel(svg, box, lines, format, levels) {
    const every = lines.flatMap((line) => line.values);
    let low = every.reduce((a, b) => Math.min(a, b), Infinity);
    let high = every.reduce((a, b) => Math.max(a, b), -Infinity);
    if (high - low < 1e-9) [low, high] = [low - 0.01, high + 0.01];
    const bars = lines[0].values.length;
    const x = (place) => box.left + (place / (bars - 1)) * box.width;
    const y = (value) => box.top + ((high - value) / (high - low)) * box.height;
    for (const level of ticks(low, high, levels)) {
      svg.append(
        drawn("line", { class: "grid", x1: box.left, x2: box.left + box.width, y1: y(level), y2: y(level) }),
        drawn("text", { x: box.left - 6, y: y(level) + 4, "text-anchor": "end" }, format(level))
      );
    }
    for (const line of lines) {
      const points = line.values.map((value, place) => `${x(place).toFixed(1)} ${y(value).toFixed(1)}`);
      svg.append(drawn("path", { class: line.kind, d: `M${points.join("L")}` }));
    }
    return x;
  }

  function months(svg, days, x, y, wanted) {
    const first = days.map((day) => new Date(day * DAY)).map((day) => [day.getUTCFullYear(), day.getUTCMonth()]);
    const begins = first.flatMap((month, place) =>
      place && month[1] !== first[place - 1][1] ? [place] : []
    );
    const every = Math.max(Math.ceil(begins.length / wanted), 1);
    begins
      .filter((_, place) => place % every === 0)
      .forEach((place, index) => {
        const [year, month] = first[place];
        const text = index === 0 || month < every ? `${MONTHS[month]} ${year}` : MONTHS[month];
        svg.append(drawn("text", { x: x(place).toFixed(1), y, "text-anchor": "middle" }, text));
      });
  }

  /** Equity above and drawdown below; `lines` are `{values, kind}`, the one that lies lowest first. */
  function chart(days, lines, words, width) {
    const height = 250;
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words });
    const left = 46;
    const box = { left, width: width - left - 12 };
    const many = Math.max(...lines.flatMap((line) => line.values)) >= 10;
    const x = panel(svg, { ...box, top: 8, height: 140 }, lines, (v) => v.toFixed(many ? 0 : 2), 4);
    const falls = lines.map((line) => ({ ...line, values: drawdowns(line.values) }));
    panel(svg, { ...box, top: 166, height: 52 }, falls, (v) => `${Math.round(100 * v)} %`.replace("-", "−"), 2);
    months(svg, days, x, height - 10, width < 420 ? 4 : 6);
    return svg;
  }

  function legend(list, items) {
    list.replaceChildren(
      ...items.map(([kind, text]) =>
        element(
          "li",
          {},
          drawn("svg", { "aria-hidden": "true", viewBox: "0 0 26 12" }, drawn("path", { class: kind, d: "M0 6H26" })),
          element("bdi", {}, text)
        )
      )
    );
  }

  const seedKind = (place) => `c${place % 6} d${Math.floor(place / 6) % 4}`;

  function figures(box, common, names, linesOf, wordsOf, rank) {
    const width = Math.max(Math.min(box.clientWidth || 420, 560), 280);
    box.replaceChildren(
      ...names.map((name) => {
        const days = running(common[name].days);
        const held = { values: running(common[name].held, UNIT), kind: "held" };
        return element(
          "figure",
          {},
          element(rank, {}, name),
          chart(days, [held, ...linesOf(name)], wordsOf(name), box.clientWidth > 700 ? 430 : width)
        );
      })
    );
  }

  async function entryCurves(box) {
    const track = box.dataset.track;
    const [common, own] = await Promise.all([load(`${track}/assets`), load(`${track}/${box.dataset.entry}`)]);
    const lines = (name) =>
      own.assets[name].curves.map((steps, place) => ({ values: running(steps, UNIT), kind: seedKind(place) }));
    const seeds = Object.values(own.assets)[0].seeds;
    legend(box.previousElementSibling, [
      ...seeds.map((seed, place) => [seedKind(place), `seed ${seed}`]),
      ["held", "buy-and-hold"],
    ]);
    figures(box, common, Object.keys(own.assets), lines, (name) => own.assets[name].words, "h3");
  }

  // Two entries side by side.

  function shown(cell) {
    const [text, below] = cell;
    return below ? [text, element("small", {}, below)] : [text];
  }

  function difference(one, other, digits, scale) {
    if (typeof one !== "number" || typeof other !== "number") return "–";
    const text = (scale * (one - other)).toFixed(digits);
    return Number(text) === 0 ? (0).toFixed(digits) : (text.startsWith("-") ? "" : "+") + text.replace("-", "−");
  }

  function pairRow(heading, one, other, digits, scale) {
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, heading),
      element("td", {}, ...shown(one)),
      element("td", {}, ...shown(other)),
      element("td", {}, scale === undefined ? "–" : difference(one[2], other[2], digits, scale))
    );
  }

  function fillPair(page, track, one, other) {
    for (const table of page.querySelectorAll("table.pair")) {
      const cells = table.tHead.rows[0].cells;
      cells[1].replaceChildren(element("bdi", {}, one.label));
      cells[2].replaceChildren(element("bdi", {}, other.label));
    }
    const columns = JSON.parse(page.dataset.columns);
    const [whole, each] = [...page.querySelectorAll("table.pair")].map((table) => table.tBodies[0]);
    whole.replaceChildren(
      ...columns.map(([key, heading, digits, scale]) =>
        pairRow(heading, one.cells[key], other.cells[key], digits, scale ?? undefined)
      )
    );
    const names = Object.keys(one.assets).filter((name) => name in other.assets);
    each.replaceChildren(
      ...names.flatMap((name) =>
        [
          ["sharpe", "Sharpe ratio", 1],
          ["return", "return, %", 100],
        ].map(([key, text, scale]) =>
          pairRow(`${name}: ${text}`, one.assets[name].cells[key], other.assets[name].cells[key], 2, scale)
        )
      )
    );
    const links = page.querySelector(".links");
    links.replaceChildren(
      "Pages: ",
      ...[one, other].flatMap((own, place) => [
        ...(place ? [" · "] : []),
        element("a", { href: `submissions/${track}/${own.page}` }, element("bdi", {}, own.label)),
      ])
    );
    return names;
  }

  async function pair(page) {
    const index = await load("index");
    const form = page.querySelector("form");
    const [track, a, b] = [form.elements.track, form.elements.a, form.elements.b];
    const status = page.querySelector("[role=status]");
    const asked = new URLSearchParams(location.search);
    track.replaceChildren(...index.map(([id, title]) => element("option", { value: id }, title)));
    if (index.some(([id]) => id === asked.get("track"))) track.value = asked.get("track");
    let last = 0;

    function fill(choice = [null, null]) {
      const names = index.find(([id]) => id === track.value)[2];
      [a, b].forEach((select, place) => {
        select.replaceChildren(...names.map(([name, label]) => element("option", { value: name }, label)));
        const found = names.findIndex(([name]) => name === choice[place]);
        select.selectedIndex = found >= 0 ? found : Math.min(place, names.length - 1);
      });
    }

    async function show() {
      const now = ++last;
      const [common, one, other] = await Promise.all([
        load(`${track.value}/assets`),
        load(`${track.value}/${a.value}`),
        load(`${track.value}/${b.value}`),
      ]);
      if (now !== last) return; // another choice was made meanwhile
      page.querySelector(".chosen").hidden = false;
      const names = fillPair(page, track.value, one, other);
      const both = [
        [one, "c0 d0"],
        [other, "c4 d1"],
      ];
      const lines = (name) =>
        both.flatMap(([own, kind]) =>
          own.assets[name].curves.map((steps) => ({ values: running(steps, UNIT), kind }))
        );
      const words = (name) => both.map(([own]) => `${own.label}: ${own.assets[name].words}`).join(" ");
      const box = page.querySelector(".curves");
      legend(box.previousElementSibling, [
        ...both.map(([own, kind]) => [kind, own.label]),
        ["held", "buy-and-hold"],
      ]);
      figures(box, common, names, lines, words, "h3");
      status.textContent = `Compared: ${one.label} and ${other.label}`;
      const query = new URLSearchParams({ track: track.value, a: a.value, b: b.value });
      try {
        history.replaceState(null, "", `?${query}`);
      } catch {
        // a page that was opened from a folder may not change its address
      }
    }

    fill([asked.get("a"), asked.get("b")]);
    track.addEventListener("change", () => {
      fill();
      show();
    });
    for (const select of [a, b]) select.addEventListener("change", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    await show();
  }

  setTheme(kept());
  document.addEventListener("DOMContentLoaded", () => {
    themeButton(document.querySelector("button.theme"));
    for (const form of document.querySelectorAll("form.filters"))
      entries(document.getElementById(form.dataset.table), form);
    for (const box of document.querySelectorAll(".curves[data-entry]")) entryCurves(box);
    for (const page of document.querySelectorAll("[data-columns]")) pair(page);
  });
  return { add };
})();
