"use strict";
// The lists, filters and pages of the report. Text reaches the page through textContent alone.

const PRINT_CAP = 500;
const ROW_HEIGHT = 3.75; // in rem, as in the style sheet
const OVERSCAN = 8;
const FACT_TITLES = {
  traffic: "What the VPC does to Pod packets",
  visibility: "Intra-node visibility",
  versions: "Versions",
  pods: "Pod ranges",
  node_classes: "Nodes, as the firewall sees them",
  masquerade: "Masquerade",
  flow_logs: "VPC Flow Logs",
  network: "Network",
  windows: "Windows node pools",
};
const MARKS = { unknown: "?", waived: "–", fixed: "✓", pass: "✓", fail: "✕", not_applicable: "·", new: "+", unchanged: "=" };

const byId = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en");
const counted = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const bdi = (text) => el("bdi", null, text);
const dim = (...children) => el("span", { class: "dim" }, ...children);
const mark = (shape) => el("span", { class: "mark", "aria-hidden": "true" }, shape);
const known = (value) => (value === null || value === undefined || value === "" ? dim("unknown") : bdi(String(value)));

async function unpack(id) {
  const text = atob(byId(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// ---- data

let data;
const details = { header: null, lines: null, ready: null };

const PLACES = /([\x01-\x08\x0b\x0c\x0e-\x1f])/g;

function expand(text, at) {
  return text.replace(PLACES, (character) => at[character.charCodeAt(0)]);
}

const namesOf = [];

/** What the control characters 1 to 4 in a text about a resource stand for: the other half of html.py's `_places`. */
function names(resource) {
  if (!namesOf[resource]) {
    const { resources } = data;
    const at = ["", "", data.projects[resources.project[resource]], data.locations[resources.location[resource]],
      resources.short[resource]];
    at[1] = expand(data.names[resources.name[resource]], at);
    namesOf[resource] = at;
  }
  return namesOf[resource];
}

/** The same with the subject of a finding and with what is the cluster's own. */
function places(resource, subject) {
  const at = [...names(resource), subject];
  if (resource < data.total) {
    at[6] = data.hash[resource];
    data.ranges[resource].forEach((range, i) => { at[14 + i] = range; });
    at[30] = data.strings[data.clusters.network[resource]];
    at[31] = data.strings[data.clusters.host[resource]];
    (data.repairs[resource] || []).forEach((end, i) => { at[[7, 8, 11, 12][i]] = end; });
  }
  return at;
}

function finding(i) {
  const { findings, resources } = data;
  const resource = findings.resource[i];
  const subject = data.strings[findings.subject[i]];
  const at = places(resource, subject);
  const severity = data.severities[findings.severity[i]];
  return {
    index: i,
    resource,
    subject,
    at,
    rule: data.rules[findings.rule[i]],
    verdict: data.verdicts[findings.state[i]],
    severity: severity[0],
    shape: severity[1],
    message: expand(data.strings[findings.message[i]], at),
    name: at[1],
    short: at[4],
    project: at[2],
    location: at[3],
    type: data.types[resources.type[resource]],
    baseline: data.baselines[findings.baseline[i]],
    waiver: data.waivers[findings.waiver[i]],
    fingerprint: fingerprint(i),
  };
}

function fingerprint(i) {
  const { digits, fingerprint: all } = data.findings;
  return all.slice(i * digits, (i + 1) * digits).trimEnd();
}

/** The finding whose fingerprint, or the part of it that this page holds, is the same; -1 if none is. */
function findingOf(wanted) {
  if (wanted.length < 8) return -1;
  for (let i = 0; i < data.findings.rule.length; i += 1) {
    const held = fingerprint(i);
    if (held && (wanted.startsWith(held) || held.startsWith(wanted))) return i;
  }
  return -1;
}

function detailOf(item) {
  const [evidence, reasons, fix, declarations] = JSON.parse(expand(details.lines[details.header.findings[item.index]], item.at));
  return { evidence: evidence.map(observation), reasons, fix, declarations };
}

/** A piece of evidence as [asset, path, observed, expected], the values as JSON text: so it may already be. */
function observation(item) {
  if (Array.isArray(item)) return item;
  const { asset, path, observed, expected } = item;
  return [asset, path, JSON.stringify(observed), expected === null ? null : JSON.stringify(expected)];
}

function clusterOf(i) {
  const { clusters } = data;
  const at = places(i, "");
  const [state, shape, meaning] = data.states[clusters.state[i]];
  return {
    index: i,
    at,
    name: at[1],
    short: at[4],
    project: at[2],
    location: at[3],
    state,
    shape,
    meaning,
    reasons: clusters.reasons[i].map((reason) => expand(data.strings[reason], at)),
    folder: data.folders[clusters.folder[i]],
    status: data.strings[clusters.status[i]],
    version: data.strings[clusters.version[i]],
    visibility: data.strings[clusters.visibility[i]],
    autopilot: clusters.autopilot[i],
    dataplaneV2: clusters.dataplane_v2[i],
  };
}

function factOf(cluster, name) {
  const line = details.header.facts[name][cluster.index];
  if (line < 0) return null;
  const fact = JSON.parse(expand(details.lines[line], places(cluster.index, "")));
  return { ...fact, evidence: fact.evidence.map(observation) };
}

// ---- the state of the page, which is its hash

const FILTERS = ["q", "sev", "rule", "verdict", "baseline", "project", "readiness", "folder"];
const state = { view: "findings", f: "", c: "", filters: {} };

function readHash() {
  const raw = location.hash.slice(1);
  let anchor = null;
  const params = new URLSearchParams(raw.includes("=") ? raw : "");
  state.f = params.get("f") || "";
  state.c = params.get("c") || "";
  state.filters = Object.fromEntries(FILTERS.map((key) => [key, params.get(key) || ""]));
  state.view = params.get("view") || (state.c ? "clusters" : "findings");
  if (raw && !raw.includes("=")) {
    anchor = byId(raw);
    const view = anchor && anchor.closest(".view");
    if (view) state.view = view.id;
  }
  if (!document.querySelector(`.view#${CSS.escape(state.view)}`)) state.view = "findings";
  return anchor;
}

function hash(changes) {
  const next = { ...state, ...changes, filters: { ...state.filters, ...(changes.filters || {}) } };
  const params = new URLSearchParams();
  if (next.view !== "findings" && !(next.view === "clusters" && next.c)) params.set("view", next.view);
  for (const key of FILTERS) if (next.filters[key]) params.set(key, next.filters[key]);
  if (next.c && next.view === "clusters") params.set("c", next.c);
  if (next.f && next.view === "findings") params.set("f", next.f);
  return `#${params.toString() || next.view}`;
}

function go(changes, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", hash(changes));
  readHash();
  draw();
}

// ---- copying and saying

let silence;
function say(text) {
  const said = byId("said");
  said.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { said.textContent = ""; }, 4000);
}

async function copy(text, button) {
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch (refused) { // no clipboard for pages from http or in some browsers: copy a selection instead
    const area = el("textarea", { class: "hidden", "aria-hidden": "true", tabindex: "-1" });
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const before = button.textContent;
  button.textContent = done ? "Copied" : "Not copied";
  say(done ? "Copied to the clipboard." : "The browser refused to copy.");
  setTimeout(() => { button.textContent = before; }, 1500);
}

function copyButton(text, what, label = "Copy") {
  const button = el("button", { type: "button", "aria-label": `${label} ${what}` }, label);
  button.addEventListener("click", () => copy(text, button));
  return button;
}

const copyable = (node, text, what) => el("div", { class: "copyable" }, node, copyButton(text, what));
const command = (text) => copyable(el("pre", null, el("code", null, text)), text, "the command");

// ---- a list that draws only the rows in sight

class VirtualList {
  constructor(id, label, drawRow, open) {
    this.rows = new Map();
    this.items = [];
    this.drawRow = drawRow;
    this.current = -1;
    this.sizer = el("div", { class: "sizer", role: "rowgroup" });
    this.node = el("div", { id, class: "list", role: "table", "aria-label": label, tabindex: "0" }, this.sizer);
    let waiting = false;
    this.node.addEventListener("scroll", () => {
      if (!waiting) requestAnimationFrame(() => { waiting = false; this.redraw(); });
      waiting = true;
    });
    this.node.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (!row || event.ctrlKey || event.metaKey || event.shiftKey || String(getSelection())) return;
      event.preventDefault();
      this.move(Number(row.dataset.at), { focus: false });
      open(this.items[this.current]);
    });
    this.node.addEventListener("keydown", (event) => {
      const page = Math.max(1, Math.floor(this.node.clientHeight / this.height) - 1);
      const last = this.items.length - 1;
      const steps = {
        ArrowDown: this.current + 1, ArrowUp: this.current - 1, PageDown: this.current + page,
        PageUp: this.current - page, Home: 0, End: last,
      };
      if (event.key in steps && last >= 0 && !event.altKey && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        this.move(Math.min(last, Math.max(0, steps[event.key])), { focus: true });
      } else if (event.key === "Enter" && event.target === this.node && this.current >= 0) {
        event.preventDefault();
        open(this.items[this.current]);
      }
    });
    this.height = VirtualList.rowHeight();
    new ResizeObserver(() => {
      // The unit changes with the window, the zoom and the reader's own size of text.
      if (this.height === VirtualList.rowHeight()) this.redraw();
      else this.show(this.items, this.current);
    }).observe(this.node);
  }

  static rowHeight() {
    return ROW_HEIGHT * parseFloat(getComputedStyle(document.documentElement).fontSize);
  }

  show(items, current) {
    this.height = VirtualList.rowHeight();
    this.items = items;
    this.current = current;
    this.rows.forEach((row) => row.remove());
    this.rows.clear();
    this.sizer.style.height = `${items.length * this.height}px`;
    this.node.style.maxHeight = `${items.length * this.height + 2}px`;
    this.node.setAttribute("aria-rowcount", String(items.length));
    this.redraw();
  }

  mark(current) {
    this.current = current;
    this.rows.forEach((row, at) => row.classList.toggle("current", at === current));
  }

  move(at, { focus }) {
    const top = at * this.height;
    const { scrollTop, clientHeight } = this.node;
    if (top < scrollTop) this.node.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.node.scrollTop = top + this.height - clientHeight;
    this.redraw();
    this.mark(at);
    if (focus) this.rows.get(at)?.querySelector("a").focus({ preventScroll: true });
  }

  redraw() {
    const height = this.node.clientHeight || 800;
    const first = Math.max(0, Math.floor(this.node.scrollTop / this.height) - OVERSCAN);
    const end = Math.min(this.items.length, Math.ceil((this.node.scrollTop + height) / this.height) + OVERSCAN);
    for (const [at, row] of this.rows) {
      if (at < first || at >= end) {
        row.remove();
        this.rows.delete(at);
      }
    }
    const anchorNode = [...this.rows].find(([at]) => at >= first);
    const fresh = [[], []];
    for (let at = first; at < end; at += 1) {
      if (this.rows.has(at)) continue;
      const row = el("div", { class: "row", role: "row", "aria-rowindex": String(at + 1), "data-at": String(at) },
        ...this.drawRow(this.items[at]).map((cells) => el("div", { role: "cell" }, ...cells)));
      row.style.top = `${at * this.height}px`;
      row.classList.toggle("current", at === this.current);
      this.rows.set(at, row);
      fresh[anchorNode && at < anchorNode[0] ? 0 : 1].push(row);
    }
    // Rows stay in the order of the list, so that the Tab key and a screen reader go down it.
    this.sizer.prepend(...fresh[0]);
    this.sizer.append(...fresh[1]);
    this.rows = new Map([...this.rows].sort((a, b) => a[0] - b[0]));
  }
}

// ---- filters

/** One way to narrow a list: `key` in the hash, `options` [value, shape, name], `codes` the option of each item. */
class Facet {
  constructor(key, label, options, total, of, { multiple = false, hidden = [] } = {}) {
    Object.assign(this, { key, label, options, multiple, hidden });
    this.codes = new Uint32Array(total);
    for (let i = 0; i < total; i += 1) this.codes[i] = of(i);
    this.index = new Map(options.map(([value], i) => [value, i]));
    this.counts = new Uint32Array(options.length);
    this.build();
  }

  chosen() {
    const value = state.filters[this.key];
    return new Set(!value ? [] : this.multiple ? value.split(",") : [value]);
  }

  build() {
    if (this.multiple) {
      this.buttons = this.options.map(([value, shape]) => {
        const count = el("span", { class: "count" });
        const button = el("button", { type: "button", "aria-pressed": "false" }, mark(shape), ` ${value}`, count);
        button.addEventListener("click", () => {
          const values = this.chosen();
          if (!values.delete(value)) values.add(value);
          go({ f: "", c: "", filters: { [this.key]: [...values].join(",") } }, { replace: true });
        });
        return { value, button, count };
      });
      this.node = el("fieldset", null, el("legend", null, this.label), ...this.buttons.map((b) => b.button));
    } else {
      this.select = el("select", { "aria-label": this.label });
      this.select.addEventListener("change", () => {
        go({ f: "", c: "", filters: { [this.key]: this.select.value } }, { replace: true });
      });
      this.node = this.select;
    }
  }

  /** For each option whether it is let through; null if all are. */
  allowed() {
    const values = this.chosen();
    if (!values.size && !this.hidden.length) return null;
    return Uint8Array.from(this.options, ([value]) => (values.size ? values.has(value) : !this.hidden.includes(value)));
  }

  show() {
    const values = this.chosen();
    if (this.multiple) {
      this.buttons.forEach(({ value, button, count }, i) => {
        button.setAttribute("aria-pressed", String(values.has(value)));
        count.textContent = number(this.counts[i]);
        button.hidden = !this.counts[i] && !values.has(value);
      });
      this.node.hidden = this.buttons.every(({ button }) => button.hidden);
      return;
    }
    // Thousands of options take longer to draw than the list: they may come a moment after it.
    clearTimeout(this.later);
    if (this.options.length > 100) this.later = setTimeout(() => this.showOptions(), 0);
    else this.showOptions();
  }

  showOptions() {
    const current = state.filters[this.key];
    const options = [el("option", { value: "" }, `${this.label}: all`)];
    this.options.forEach(([value, , name], i) => {
      if (this.counts[i] || value === current) {
        options.push(el("option", { value }, `${name || value} (${number(this.counts[i])})`));
      }
    });
    if (current && !this.index.has(current)) options.push(el("option", { value: current }, `${current} (0)`));
    this.select.replaceChildren(...options);
    this.select.value = current;
  }
}

/** The items that pass every facet and the text; on the way, each facet's counts under the other filters. */
function narrow(total, facets, haystack) {
  const words = state.filters.q.toLowerCase().split(/\s+/).filter(Boolean);
  const columns = facets.map((facet) => ({ codes: facet.codes, allowed: facet.allowed(), counts: facet.counts.fill(0) }));
  const narrowing = columns.filter(({ allowed }) => allowed);
  const items = [];
  for (let i = 0; i < total; i += 1) {
    let failing = null;
    let failures = 0;
    for (const column of narrowing) {
      if (!column.allowed[column.codes[i]]) {
        failing = column;
        failures += 1;
        if (failures > 1) break;
      }
    }
    if (failures > 1) continue;
    if (words.length) {
      const text = haystack(i);
      if (!words.every((word) => text.includes(word))) continue;
    }
    if (failures === 1) {
      failing.counts[failing.codes[i]] += 1;
      continue;
    }
    for (const { counts, codes } of columns) counts[codes[i]] += 1;
    items.push(i);
  }
  return items;
}

function searchBox(label) {
  const input = el("input", { type: "search", placeholder: label, "aria-label": label, spellcheck: "false" });
  let pause;
  input.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => go({ f: "", c: "", filters: { q: input.value } }, { replace: true }), 60);
  });
  return input;
}

function clearButton() {
  const button = el("button", { type: "button" }, "Clear filters");
  button.addEventListener("click", () => go({ f: "", c: "", filters: Object.fromEntries(FILTERS.map((k) => [k, ""])) }));
  return button;
}

function printButton() {
  const button = el("button", { type: "button" }, "Print this view");
  button.addEventListener("click", async () => {
    await details.ready;
    window.print();
  });
  return button;
}

// ---- findings

const views = {};

function buildFindings() {
  const { findings, clusters } = data;
  const projects = data.projects.map((p) => [p || "-", "", p || "no project known"]);
  const total = findings.rule.length;
  const readiness = new Uint8Array(data.resources.short.length).fill(data.states.length);
  clusters.state.forEach((value, i) => { readiness[i] = value; });
  const facets = [
    new Facet("sev", "Severity", data.severities, total, (i) => findings.severity[i], { multiple: true }),
    new Facet("verdict", "Verdict", data.verdicts.map((v) => [v, MARKS[v]]), total, (i) => findings.state[i],
      { multiple: true, hidden: ["waived", "fixed"] }),
    ...(data.baselines.length > 1 ? [new Facet("baseline", "Since the baseline", data.baselines.map((b) => [b || "-", "", b || "not compared"]), total,
      (i) => findings.baseline[i])] : []),
    new Facet("rule", "Rule", data.rules.map((rule) => [rule.id]), total, (i) => findings.rule[i]),
    new Facet("project", "Project", projects, total, (i) => data.resources.project[findings.resource[i]]),
    new Facet("readiness", "Readiness", [...data.states.map(([s]) => [s]), ["no cluster"]],
      total, (i) => readiness[findings.resource[i]]),
  ];
  const haystacks = new Array(total);
  const parsed = [];
  const pieces = (string) => {
    parsed[string] ||= data.strings[string].split(PLACES).map((part, k) => (k % 2 ? part.charCodeAt(0) : part));
    return parsed[string];
  };
  const haystack = (i) => {
    if (haystacks[i] === undefined) {
      const subject = data.strings[findings.subject[i]];
      const at = places(findings.resource[i], subject);
      let text = `${at[1]}\n${at[4]}\n${subject}\n${data.rules[findings.rule[i]].id}\n`;
      for (const part of pieces(findings.message[i])) text += typeof part === "number" ? at[part] : part;
      haystacks[i] = text.toLowerCase();
    }
    return haystacks[i];
  };
  const list = new VirtualList("findings-list", "Findings, worst first", (i) => {
    const item = finding(i);
    const link = el("a", { href: hash({ view: "findings", f: item.fingerprint }), class: "line" }, item.rule.id);
    const status = item.verdict === "fail" ? item.baseline : item.verdict;
    return [
      [el("span", { class: `line sev sev-${item.severity}` }, mark(item.shape), ` ${item.severity}`),
        status ? el("span", { class: `mini state-${item.verdict}` }, mark(MARKS[status]), ` ${status}`) : null],
      [link, el("span", { class: "line dim" }, bdi(item.message))],
      [el("span", { class: "line" }, bdi(item.short), ...(item.subject ? [" / ", bdi(item.subject)] : [])),
        el("span", { class: "mini line" }, bdi(item.project), " · ", bdi(item.location))],
    ];
  }, (i) => go({ f: fingerprint(i) }));
  const search = searchBox("Search clusters, rules, messages");
  const count = el("strong");
  const more = el("span");
  const pane = el("section", { class: "pane", "aria-label": "Finding", hidden: true });
  const split = el("div", { class: "split" }, list.node, pane);
  const nothing = el("p", { class: "nothing", hidden: true });
  byId("findings-live").append(
    el("div", { class: "filters", role: "search", "aria-label": "Filter findings" }, search, ...facets.map((f) => f.node), clearButton(), printButton()),
    el("p", { class: "tally-line", role: "status" }, count, more), nothing, split);
  byId("findings-static").remove();
  let drawn = null;
  views.findings = {
    haystack,
    total,
    draw() {
      const key = FILTERS.map((k) => state.filters[k]).join("\0");
      if (key !== drawn) {
        drawn = key;
        this.items = narrow(total, facets, haystack);
        list.node.scrollTop = 0;
        list.show(this.items, -1);
        count.textContent = this.items.length === total
          ? counted(total, "result") : `${number(this.items.length)} of ${counted(total, "result")}`;
        const hidden = state.filters.verdict ? [] : [2, 3].map((v) => [facets[1].counts[v], data.verdicts[v]]).filter(([n]) => n);
        more.textContent = hidden.length ? `not shown: ${hidden.map(([n, v]) => `${number(n)} ${v}`).join(", ")}` : "";
        nothing.hidden = this.items.length > 0;
        nothing.textContent = /\b(pass|not_applicable)\b/.test(state.filters.verdict)
          ? "What passes or does not apply is counted under Rules and shown with each cluster; it is not listed here."
          : total ? "No result matches these filters." : "No rule failed, and none was undecided, on what was read.";
        list.node.hidden = !this.items.length;
        facets.forEach((facet) => facet.show());
        if (search !== document.activeElement) search.value = state.filters.q;
      }
      const open = state.f ? findingOf(state.f) : -1;
      const wasOpen = !pane.hidden;
      split.classList.toggle("open", Boolean(state.f));
      pane.hidden = !state.f;
      if (!state.f) {
        const at = list.current;
        list.redraw();
        if (wasOpen && at >= 0) list.move(at, { focus: true });
        return;
      }
      const at = this.items.indexOf(open);
      if (at >= 0) list.move(at, { focus: false });
      else list.mark(-1);
      drawFinding(pane, open);
    },
    print() {
      return printed(this.items, "result", (i) => {
        const item = finding(i);
        const detail = details.lines && detailOf(item);
        return [
          el("p", null, el("strong", null, item.shape, ` ${item.severity} · ${item.verdict} · `, item.rule.id), " · ", bdi(item.short),
            item.subject ? ` / ${item.subject}` : "", " · ", bdi(item.project), " · ", bdi(item.location)),
          el("p", null, bdi(item.message)),
          ...(detail ? detail.reasons.map((reason) => el("p", null, "Unknown: ", bdi(reason))) : []),
          ...(detail && detail.fix ? [el("p", null, "Fix: ", bdi(detail.fix.text)), ...detail.fix.commands.map((text) => el("pre", null, text))] : []),
        ];
      });
    },
  };
}

/** Scroll to a page that has just been drawn, unless its beginning is in sight. */
function reveal(node) {
  const { top } = node.getBoundingClientRect();
  if (top < 0 || top > innerHeight * 0.6) node.scrollIntoView({ block: "start" });
}

function closeButton(label, changes) {
  const button = el("button", { type: "button" }, label);
  button.addEventListener("click", () => go(changes));
  return button;
}

async function drawFinding(pane, i) {
  if (i < 0) {
    pane.replaceChildren(
      el("div", { class: "head" }, el("h3", { tabindex: "-1" }, "No such finding"), closeButton("Close", { f: "" })),
      el("p", null, "No listed result has the fingerprint ", el("code", null, state.f), ". It may be mended, or belong to another scan."));
    return;
  }
  const item = finding(i);
  const heading = el("h3", { tabindex: "-1" }, item.rule.title);
  const head = el("div", { class: "head" },
    el("span", { class: `sev sev-${item.severity}` }, mark(item.shape), ` ${item.severity}`,
      item.verdict === "fail" ? "" : el("span", { class: `state state-${item.verdict}` }, ` · ${item.verdict}`)),
    closeButton("Close", { f: "" }));
  const where = el("p", null,
    item.resource < data.total ? el("a", { href: clusterLink(item.resource) }, bdi(item.short)) : bdi(item.short),
    ...(item.subject ? [" / ", bdi(item.subject)] : []), " · ", bdi(item.project), " · ", bdi(item.location));
  const body = el("div", null, el("p", { class: "dim" }, "Reading the details …"));
  pane.replaceChildren(head, heading, where, el("p", { class: "message" }, bdi(item.message)), body);
  heading.focus({ preventScroll: true });
  reveal(pane);
  pane.scrollTop = 0;
  await details.ready;
  const { evidence, reasons, fix, declarations } = detailOf(item);
  const parts = [];
  if (item.waiver) {
    parts.push(el("h4", null, "Waived"), el("p", null, bdi(item.waiver.reason)),
      el("p", { class: "dim" }, "Owner ", bdi(item.waiver.owner), `, until ${item.waiver.expires}`));
  }
  if (item.verdict === "fixed") parts.push(el("p", null, "This failed in the baseline and was not found again."));
  if (reasons.length) {
    parts.push(el("h4", null, "Why it could not be decided, and what would settle it"),
      el("ul", null, ...reasons.map((reason) => el("li", null, bdi(reason)))));
  }
  if (fix) {
    parts.push(el("h4", null, "Fix"), notYet(item), el("p", { class: "prose" }, fix.text), ...fix.commands.map(command));
    if (item.rule.cost) parts.push(el("p", { class: "prose" }, el("strong", null, "Cost: "), item.rule.cost));
    if (item.rule.terraform) {
      parts.push(el("p", { class: "dim" }, "Terraform"),
        copyable(el("pre", null, el("code", null, item.rule.terraform)), item.rule.terraform, "the Terraform lines"));
    }
  }
  if (declarations.length) parts.push(el("h4", null, "In Terraform"), declaredAt(declarations));
  if (item.rule.traffic && item.resource < data.total) {
    parts.push(el("p", null, el("a", { href: clusterLink(item.resource) }, "The way of one packet, and every packet that is denied")));
  }
  parts.push(el("h4", null, "Observed"), evidenceTable(evidence),
    el("h4", null, "Asset"), copyable(el("code", null, bdi(item.name)), item.name, "the full asset name"),
    el("p", { class: "dim" }, item.type, consoleLink(item)),
    el("p", { class: "dim" }, "Rule ", el("a", { href: item.index >= 0 && byId(`rule-${item.rule.id}`) ? `#rule-${item.rule.id}` : null }, item.rule.id),
      item.baseline ? ` · ${item.baseline} since the baseline` : ""),
    el("p", { class: "dim" }, "Fingerprint ", el("code", null, item.fingerprint)));
  body.replaceChildren(...parts.filter(Boolean));
}

const CERTAINTY = {
  state: "", configuration: "", plan: "in the plan", candidate: "perhaps: several blocks may declare it, or what it is called is not known",
};

/** The blocks that declare a resource, or may, each with the change that mends the finding. */
function declaredAt(declarations) {
  return el("ul", { class: "which" }, ...declarations.map((one) => el("li", { class: "declared" },
    one.file ? el("code", null, bdi(`${one.file}:${one.start_line}`)) : null, " ", bdi(one.address), one.action ? ` (${one.action})` : "",
    CERTAINTY[one.certainty] ? el("span", { class: "dim" }, ` ${CERTAINTY[one.certainty]}`) : null,
    one.fix ? copyable(el("pre", { class: "diff" }, el("code", null, one.fix)), one.fix, "the change") : null)));
}

/** A warning beside the command that turns visibility on, for a cluster that would break by it, or might. */
function notYet(item) {
  if (item.rule !== data.rules[data.switch] || item.verdict !== "fail" || item.resource >= data.total) return null;
  const cluster = clusterOf(item.resource);
  if (cluster.state === "ready") return null;
  return el("p", { class: "warn" }, mark("⚠"), ` Not yet: the cluster is ${cluster.state}. `, bdi(cluster.reasons.join(" ")));
}

function evidenceTable(evidence) {
  if (!evidence.length) return el("p", { class: "dim" }, "Nothing was observed.");
  const expects = evidence.some(([, , , expected]) => expected !== null);
  return el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Evidence" }, el("table", { class: "grid evidence-table" },
    el("thead", null, el("tr", null, ...["Path", "Observed", ...(expects ? ["Expected"] : [])].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", null, ...evidence.map(([asset, path, observed, expected]) => el("tr", null,
      el("td", null, el("code", null, path), el("div", { class: "dim" }, bdi(asset))),
      el("td", null, el("code", null, bdi(observed))),
      ...(expects ? [el("td", null, expected === null ? "" : el("code", null, bdi(expected)))] : []))))));
}

function consoleLink(item) {
  if (item.type !== "container.googleapis.com/Cluster") return null;
  const [place, name, project] = [item.location, item.short, item.project].map(encodeURIComponent);
  const url = `https://console.cloud.google.com/kubernetes/clusters/details/${place}/${name}/details?project=${project}`;
  return el("span", null, " · ", el("a", { href: url, rel: "noopener noreferrer" }, "Cloud Console"));
}

// ---- clusters

const clusterLink = (i) => hash({ view: "clusters", c: names(i)[1], f: "", filters: Object.fromEntries(FILTERS.map((k) => [k, ""])) });

function buildClusters() {
  const { clusters, findings } = data;
  const { total } = data;
  const projects = data.projects.map((p) => [p || "-", "", p || "no project known"]);
  const worst = new Uint8Array(total).fill(255);
  const fails = new Uint32Array(total);
  const undecided = new Uint32Array(total);
  findings.rule.forEach((_, i) => {
    const resource = findings.resource[i];
    if (findings.state[i] === 0 && resource < total) {
      fails[resource] += 1;
      worst[resource] = Math.min(worst[resource], findings.severity[i]);
    }
    if (findings.state[i] === 1 && resource < total) undecided[resource] += 1;
  });
  const facets = [
    new Facet("readiness", "Readiness", data.states, total, (i) => clusters.state[i], { multiple: true }),
    new Facet("project", "Project", projects, total, (i) => data.resources.project[i]),
    new Facet("folder", "Folder", data.folders.map((f) => [f || "-", "", f || "no folder known"]), total, (i) => clusters.folder[i]),
  ];
  const haystacks = new Array(total);
  const haystack = (i) => {
    if (haystacks[i] === undefined) {
      const item = clusterOf(i);
      haystacks[i] = [item.name, item.short, item.version, item.state, item.folder, ...item.reasons].join("\n").toLowerCase();
    }
    return haystacks[i];
  };
  const list = new VirtualList("clusters-list", "Clusters, worst first", (i) => {
    const item = clusterOf(i);
    const severity = data.severities[worst[i]];
    return [
      [el("span", { class: `line ready ready-${item.state}` }, mark(item.shape), ` ${item.state}`),
        el("span", { class: "mini" }, item.visibility ? `visibility ${item.visibility}` : "visibility unknown")],
      [el("a", { href: clusterLink(i), class: "line" }, bdi(item.short)),
        el("span", { class: "mini line" }, bdi(item.project), " · ", bdi(item.location))],
      [el("span", { class: "line" }, bdi(item.reasons[0] || "")),
        item.reasons.length > 1 ? el("span", { class: "mini" }, `and ${counted(item.reasons.length - 1, "more reason")}`) : null],
      [el("span", { class: "line" }, severity ? el("span", { class: `sev sev-${severity[0]}` }, mark(severity[1]), ` ${counted(fails[i], "finding")}`)
        : undecided[i] ? el("span", { class: "state state-unknown" }, mark("?"), ` ${number(undecided[i])} undecided`) : dim("no finding")),
        el("span", { class: "mini line" }, bdi(item.version || "version unknown"))],
    ];
  }, (i) => go({ view: "clusters", c: names(i)[1] }));
  const search = searchBox("Search clusters, projects, reasons");
  const count = el("strong");
  const commands = el("button", { type: "button" }, "Copy the commands to switch them on");
  const split = el("div", { class: "split" }, list.node);
  const page = el("article", { class: "cluster-page", hidden: true });
  const browse = el("div", null,
    el("div", { class: "filters", role: "search", "aria-label": "Filter clusters" }, search, ...facets.map((f) => f.node), clearButton(), printButton()),
    el("div", { class: "tally-line" }, el("p", { role: "status" }, count), commands), split);
  byId("clusters-live").append(browse, page);
  byId("clusters-static").remove();
  commands.addEventListener("click", async () => {
    await details.ready;
    const wanted = new Set(views.clusters.items);
    const lines = [];
    findings.rule.forEach((rule, i) => {
      if (rule === data.switch && findings.state[i] === 0 && wanted.has(findings.resource[i])) {
        const { fix } = detailOf(finding(i));
        if (fix) lines.push(...fix.commands);
      }
    });
    await copy(lines.join("\n"), commands);
    say(`${counted(lines.length, "command")} copied.`);
  });
  let drawn = null;
  views.clusters = {
    draw() {
      const wanted = state.c;
      const key = FILTERS.map((k) => state.filters[k]).join("\0");
      if (key !== drawn) {
        drawn = key;
        this.items = narrow(total, facets, haystack);
        list.node.scrollTop = 0;
        list.show(this.items, -1);
        count.textContent = this.items.length === total ? counted(total, "cluster") : `${number(this.items.length)} of ${counted(total, "cluster")}`;
        list.node.hidden = !this.items.length;
        facets.forEach((facet) => facet.show());
        if (search !== document.activeElement) search.value = state.filters.q;
        commands.hidden = state.filters.readiness !== "ready" || data.switch < 0 || !this.items.length;
      }
      const wasOpen = !page.hidden;
      browse.hidden = Boolean(wanted);
      page.hidden = !wanted;
      if (!wanted) {
        list.redraw();
        if (wasOpen && list.current >= 0) list.move(list.current, { focus: true });
        return;
      }
      const open = clusterIndex(wanted);
      list.mark(this.items.indexOf(open));
      drawCluster(page, open);
    },
    print() {
      if (state.c) return null;
      return printed(this.items, "cluster", (i) => {
        const item = clusterOf(i);
        return [el("p", null, el("strong", null, item.shape, ` ${item.state} · `, bdi(item.short)), " · ", bdi(item.project), " · ", bdi(item.location),
          ` · ${counted(fails[i], "finding")}`), ...item.reasons.map((reason) => el("p", null, bdi(reason)))];
      });
    },
  };
}

function clusterIndex(name) {
  for (let i = 0; i < data.total; i += 1) if (names(i)[1] === name) return i;
  return -1;
}

function table(label, columns, rows) {
  return el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label }, el("table", { class: "grid" },
    el("thead", null, el("tr", null, ...columns.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", null, ...rows.map((cells) => el("tr", null, ...cells.map((cell) => el("td", null, cell)))))));
}

const listOf = (values) => (values === null ? known(null) : values.length ? bdi(values.join(", ")) : dim("none"));
const yesNo = (value) => (value === null ? known(null) : value ? "yes" : "no");

function pairs(entries) {
  return el("dl", { class: "pairs" }, ...entries.flatMap(([name, value]) => [el("dt", null, name), el("dd", null, value)]));
}

const DRAW_FACT = {
  traffic: (fact, item) => drawTraffic(fact, item),
  visibility: (fact) => [pairs([["State", known(fact.state)], ["Decided by", known(fact.basis)], ["Mechanism", known(fact.mechanism)]])],
  versions: (fact) => [pairs([
    ["Control plane", known(fact.control_plane)],
    ...(fact.pools === null ? [["Node pools", known(null)]] : fact.pools.map((pool) => [`Pool ${pool.name}`, known(pool.version)])),
  ])],
  pods: (fact) => [
    fact.ranges.length ? table("Pod ranges", ["Range", "Origin", "Node pools", "In use"],
      fact.ranges.map((range) => [el("code", null, bdi(range.cidr)), bdi(range.origin), listOf(range.pools), yesNo(range.in_use)])) : el("p", { class: "dim" }, "No Pod range is known."),
    fact.pools.length ? table("Node pools", ["Node pool", "Block of each node", "Ranges", "All ranges known"], fact.pools.map((pool) => [bdi(pool.name),
      [pool.ipv4_block === null ? null : `/${pool.ipv4_block} (IPv4)`, pool.ipv6_block === null ? null : `/${pool.ipv6_block} (IPv6)`].filter(Boolean).join(", ") || dim("unknown"),
      listOf(pool.ranges), yesNo(pool.resolved)])) : null,
    fact.unresolved.length ? table("Unresolved Pod ranges", ["Unresolved range", "Subnetwork", "Node pools", "Why"],
      fact.unresolved.map((range) => [bdi(range.name), bdi(range.subnetwork), listOf(range.pools), bdi(range.reason)])) : null,
  ],
  node_classes: (fact) => (fact.classes === null ? [pairs([["Node pools", known(null)]])]
    : [table("Node classes", ["Node pools", "Network tags", "Service account", "Secure tags", "Network, region"], fact.classes.map((kind) => [
      listOf(kind.pools), listOf(kind.tags), known(kind.service_account), listOf(kind.secure_tags),
      el("span", null, known(kind.network), ", ", bdi(kind.region))]))]),
  masquerade: (fact) => [
    pairs([["Decided by", known(fact.basis)], ["Not masqueraded", listOf(fact.non_masquerade)],
      ["Pod ranges left uncovered", fact.uncovered === null ? known(null) : fact.uncovered.length ? counted(fact.uncovered.length, "range") : "none"]]),
    fact.uncovered && fact.uncovered.length ? table("Uncovered Pod ranges", ["Range", "Parts that are masqueraded", "Origin", "Node pools"],
      fact.uncovered.map((range) => [el("code", null, bdi(range.range)), el("code", null, listOf(range.parts)), bdi(range.origin), listOf(range.pools)])) : null,
  ],
  flow_logs: (fact) => (fact.subnets === null ? [pairs([["Node subnetworks", known(null)]])]
    : [table("Flow logs", ["Subnetwork", "Node pools", "Logs", "Sampling", "Metadata", "Interval", "Filter"], fact.subnets.map((subnet) => [
      el("span", null, bdi(subnet.name), el("div", { class: "dim" }, bdi(subnet.project), " · ", bdi(subnet.region))), listOf(subnet.pools),
      subnet.enabled === null ? known(null) : subnet.enabled ? "on" : "off",
      ...(subnet.enabled ? [known(subnet.sampling), known(subnet.metadata), known(subnet.aggregation), subnet.filter === "" ? "none" : known(subnet.filter)] : ["–", "–", "–", "–"])]))]),
  network: (fact) => [pairs([["VPC network", known(fact.network)], ["Project", known(fact.project)],
    ["Shared VPC", yesNo(fact.shared)], ["MTU", fact.mtu === null ? known(null) : `${fact.mtu} bytes`],
    ["Network policies come", fact.enforcement_order === null ? known(null) : fact.enforcement_order === "BEFORE_CLASSIC_FIREWALL" ? "before the VPC rules" : "after the VPC rules"]])],
  windows: (fact) => [pairs([["Node pools", listOf(fact.pools)]])],
};

async function drawCluster(page, i) {
  const back = closeButton("All clusters", { c: "" });
  if (i < 0) {
    page.replaceChildren(back, el("h3", { tabindex: "-1" }, "No such cluster"), el("p", null, "The report has no cluster named ", el("code", null, bdi(state.c)), "."));
    return;
  }
  const item = clusterOf(i);
  const heading = el("h3", { tabindex: "-1" }, bdi(item.short));
  const about = [item.project, item.location, item.version ? `GKE ${item.version}` : "GKE version unknown",
    item.autopilot ? "Autopilot" : "Standard", item.dataplaneV2 ? "Dataplane V2" : "legacy datapath", item.status].filter(Boolean);
  const body = el("div", null, el("p", { class: "dim" }, "Reading the details …"));
  page.replaceChildren(back,
    el("div", { class: "head" }, heading, el("span", { class: `ready ready-${item.state}` }, mark(item.shape), ` ${item.state}`), dim(item.meaning)),
    el("p", null, ...about.flatMap((text, k) => (k ? [" · ", bdi(text)] : [bdi(text)]))),
    copyable(el("code", null, bdi(item.name)), item.name, "the full asset name"),
    el("p", null, item.folder ? el("span", { class: "dim" }, "Folder ", bdi(item.folder)) : dim("No folder known"),
      consoleLink({ ...item, type: "container.googleapis.com/Cluster" })),
    item.reasons.length ? el("ul", null, ...item.reasons.map((reason) => el("li", null, bdi(reason)))) : null, body);
  page.querySelectorAll("ul:empty").forEach((list) => list.remove());
  heading.focus({ preventScroll: true });
  reveal(page);
  await details.ready;
  const parts = [clusterFindings(item)];
  const declared = details.header.declared[i];
  if (declared !== undefined) {
    parts.push(el("div", { class: "part" }, el("h4", null, "In Terraform"), declaredAt(JSON.parse(expand(details.lines[declared], item.at)))));
  }
  const evidence = [];
  for (const [name, title] of Object.entries(FACT_TITLES)) {
    const fact = factOf(item, name);
    if (!fact) continue;
    parts.push(el("div", { class: "part" }, el("h4", null, title), ...DRAW_FACT[name](fact, item).filter(Boolean), unknowns(fact.unknowns)));
    evidence.push(...fact.evidence);
  }
  if (!evidence.length) parts.push(el("p", null, "The inventory holds no data for this cluster, so no fact about it is known."));
  parts.push(clusterRules(item), el("div", { class: "part" }, el("h4", null, "Evidence for the facts"), evidenceTable(evidence)));
  body.replaceChildren(...parts);
}

function unknowns(entries) {
  if (!entries.length) return "";
  // What the same step settles stands together, with that step said once.
  const steps = new Map();
  for (const { path, reason, hint } of entries) steps.set(hint, [...(steps.get(hint) || []), [path, reason]]);
  return el("ul", { class: "unknowns" }, ...[...steps].map(([hint, told]) => el("li", null,
    ...told.map(([path, reason]) => el("div", null, el("span", { class: "state state-unknown" }, mark("?"), " unknown "), el("code", null, path), " ", bdi(reason))),
    hint ? copyable(el("pre", null, el("code", null, hint)), hint, "what would settle it") : null)));
}

function clusterFindings(item) {
  const mine = [];
  data.findings.resource.forEach((resource, i) => { if (resource === item.index) mine.push(finding(i)); });
  const links = mine.map((one) => el("li", null,
    el("span", { class: `sev sev-${one.severity}` }, mark(one.shape), ` ${one.severity} `),
    one.verdict === "fail" ? null : el("span", { class: `state state-${one.verdict}` }, `${one.verdict} `),
    el("a", { href: `#${new URLSearchParams({ ...(one.verdict === "fail" ? {} : { verdict: one.verdict }), f: one.fingerprint })}` }, one.rule.id), " ",
    bdi(one.message)));
  return el("div", { class: "part" }, el("h4", null, "Findings and undecided rules"),
    links.length ? el("ul", { class: "which" }, ...links) : el("p", { class: "dim" }, "None."));
}

function clusterRules(item) {
  const { codes, outcomes } = details.header;
  const rows = [];
  for (let rule = 0; rule < data.judged; rule += 1) {
    const code = codes[item.index * data.judged + rule];
    if (!code) continue;
    const [verdict, sentence] = outcomes[code];
    rows.push([el("a", { href: `#rule-${data.rules[rule].id}` }, data.rules[rule].id),
      el("span", { class: `state state-${verdict}` }, mark(MARKS[verdict]), ` ${verdict.replace("_", " ")}`),
      bdi(sentence ? data.strings[sentence] : data.rules[rule].title)]);
  }
  return el("div", { class: "part" }, el("h4", null, "Every rule"),
    rows.length ? table("Verdicts by rule", ["Rule", "Verdict", "In words"], rows) : el("p", { class: "dim" }, "No rule was judged for this cluster."));
}

// ---- the firewall analysis

const STAGES = {
  hierarchical: "Organization and folder policies",
  system: "System policies of the region",
  vpc: "VPC firewall rules",
  network_global: "Global network policies",
  network_regional: "Regional network policies",
  implied: "Implied rule",
};
const STATE_MARKS = { allowed: "✓", denied: "✕", partial: "◐", undecided: "?", unknown: "?" };
const VERDICTS = {
  allowed: "every packet is allowed", denied: "every packet is denied", partial: "some packets are denied",
  unknown: "nothing is denied for certain, and some packets cannot be decided",
};

/** The stages in the order in which the network asks them; those whose order is not known, together. */
function stagesOf(order) {
  const middle = order === "BEFORE_CLASSIC_FIREWALL" ? [["network_global"], ["network_regional"], ["vpc"]]
    : order === "AFTER_CLASSIC_FIREWALL" ? [["vpc"], ["network_global"], ["network_regional"]]
      : [["vpc", "network_global", "network_regional"]];
  return [["hierarchical"], ["system"], ...middle, ["implied"]];
}

const stageName = (kinds) => (kinds.length > 1 ? "VPC rules and network policies, order unknown" : STAGES[kinds[0]]);
const ruleName = (rule) => (rule.priority === null ? rule.rule : `${rule.rule}, priority ${rule.priority}`);

/** What each stage of one direction does to the packet: [name, state, words]. */
function stations(side, stages) {
  if (side === null) return [["No single packet can stand for this direction", "dim", ""]];
  if (side.state === "allowed") return [["Every stage lets this packet pass", "allowed", ""]];
  const rules = side.state === "denied" ? [side.by] : side.candidates;
  const places = rules.map((rule) => stages.findIndex((kinds) => kinds.includes(rule.stage)));
  const last = Math.max(...places);
  return stages.map((kinds, at) => {
    const mine = rules.filter((_, i) => places[i] === at);
    const more = mine.length > 1 ? ` and ${number(mine.length - 1)} more` : "";
    if (!mine.length) return [stageName(kinds), at > last ? "dim" : "next", at > last ? "not reached" : "does not decide"];
    if (side.state === "denied") return [stageName(kinds), "denied", `denied by ${ruleName(mine[0])}`];
    return [stageName(kinds), "undecided", `may decide: ${ruleName(mine[0])}${more}`];
  });
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const clipped = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** One packet's way: Pod, egress stages, VPC, ingress stages, Pod. Side by side, or in one column where it is narrow. */
function drawPath(path, order, packet) {
  const stages = stagesOf(order);
  const stopped = path.egress && path.egress.state === "denied";
  const lanes = [
    { title: "Egress, at the sender's node", from: `Pod ${packet.source}`, to: "VPC network", rows: stations(path.egress, stages) },
    { title: `Ingress, at the receiver's node${stopped ? " (never reached; by itself:)" : ""}`, from: "VPC network", to: `Pod ${packet.destination}`, rows: stations(path.ingress, stages) },
  ];
  const narrow = matchMedia("(max-width: 48rem)").matches;
  const [width, step, top] = [narrow ? 350 : 430, 42, 26];
  const heights = lanes.map(({ rows }) => top + step * (rows.length + 2));
  const height = narrow ? heights[0] + heights[1] + 8 : Math.max(...heights);
  const total = narrow ? width : 2 * width + 20;
  const said = [];
  const picture = svg("svg", { class: "path", viewBox: `0 0 ${total} ${height}`, role: "img", width: total, height });
  lanes.forEach((lane, k) => {
    const x = narrow ? 0 : k * (width + 20);
    const y = narrow ? k * (heights[0] + 8) : 0;
    const most = Math.floor((width - 34) / 7.4); // characters, of the bold words of the stage that decides
    const rows = [[lane.from, "end", ""], ...lane.rows, [lane.to, "end", ""]];
    const cut = lane.rows.findIndex(([, state]) => state === "denied");
    const group = svg("g", { transform: `translate(${x} ${y})`, class: stopped && k ? "faded" : "" },
      svg("text", { x: 0, y: 12, class: "lane" }, clipped(lane.title, most + 4)));
    rows.forEach(([name, state, words], i) => {
      const cy = top + step * i + 12;
      if (i + 1 < rows.length) {
        const beyond = cut >= 0 && i > cut;
        group.append(svg("line", { x1: 11, x2: 11, y1: cy + 11, y2: cy + step - 11, class: beyond ? "rail cut" : "rail" }));
      }
      group.append(state === "denied" || state === "end" ? svg("rect", { x: 1, y: cy - 10, width: 20, height: 20, class: `stop stop-${state}` })
        : svg("circle", { cx: 11, cy, r: state === "next" || state === "dim" ? 5 : 10, class: `stop stop-${state}` }));
      if (STATE_MARKS[state]) group.append(svg("text", { x: 11, y: cy + 4, class: "glyph" }, STATE_MARKS[state]));
      group.append(svg("text", { x: 32, y: words ? cy - 2 : cy + 4, class: `name name-${state}` }, clipped(name, most)));
      if (words) group.append(svg("text", { x: 32, y: cy + 13, class: `words words-${state}` }, svg("title", {}, words), clipped(words, most)));
      if (state !== "end") said.push(`${k ? "ingress" : "egress"}: ${name}${words ? ` ${words}` : ""}`);
    });
    picture.append(group);
  });
  picture.setAttribute("aria-label", `From Pod ${packet.source} to Pod ${packet.destination}; ${said.join("; ")}.`);
  return picture;
}

function witnessOf(row) {
  if (!row.witness) return null;
  const [from, source, to, destination, protocol, port, sourcePool, destinationPool] = row.witness;
  const end = (range, cut, rest) => range.slice(0, range.length - cut) + rest;
  return { source: end(row.source, from, source), destination: end(row.destination, to, destination), protocol, port, sourcePool, destinationPool };
}

const packetText = (packet) => `${packet.protocol}${packet.port === null ? "" : `:${packet.port}`} from ${packet.source} (${packet.sourcePool}) to ${packet.destination} (${packet.destinationPool})`;

function decider(rule) {
  return el("div", null, el("strong", null, bdi(rule.rule)), ` ${rule.action || ""}`,
    el("div", { class: "dim" }, STAGES[rule.stage], rule.priority === null ? "" : `, priority ${rule.priority}`,
      ...(rule.asset ? [el("br"), bdi(rule.asset)] : [])));
}

/** The packets of a set; `label` says which, and whether they are denied. */
function packetsTable(label, found) {
  const rows = found.rows.map((row) => {
    const packet = witnessOf(row);
    return [
      row.direction,
      el("span", null, el("code", null, bdi(row.source)), " → ", el("code", null, bdi(row.destination)),
        el("div", { class: "dim" }, listOf(row.source_pools), ...(row.destination_pools ? [" → ", listOf(row.destination_pools)] : []))),
      el("div", null, ...row.layer4.map(([protocols, ports, more]) => el("div", null, protocols, ports ? ` ${ports}` : "", more ? ` and ${counted(more, "more range")}` : ""))),
      el("div", null, ...(row.by ? [row.by] : row.candidates).map(decider),
        row.more_candidates ? dim(`and ${number(row.more_candidates)} more`) : "", row.benign ? el("div", { class: "dim" }, "harmless: ", bdi(row.benign)) : ""),
      packet ? bdi(packetText(packet)) : dim("only from an address to itself"),
    ];
  });
  return el("div", { class: "packets" }, el("h5", null, label), table(label, ["Direction", "From → to", "Packets", label.startsWith("Denied") ? "Decided by" : "May be decided by", "For example"], rows),
    found.more ? el("p", { class: "dim" }, `${counted(found.more, "more row")} in the JSON report.`) : null);
}

function drawScope(title, scope, order) {
  const verdict = el("p", null, el("strong", null, title, ": "), el("span", { class: `traffic-${scope.verdict}` }, mark(STATE_MARKS[scope.verdict]), ` ${VERDICTS[scope.verdict]}`),
    el("span", { class: "dim" }, ` · ${Object.entries(scope.by_protocol).map(([protocol, found]) => `${protocol} ${found}`).join(", ")}`));
  const parts = [verdict];
  const inside = title[0].toLowerCase() + title.slice(1);
  const packet = scope.path && witnessOf(scope.path);
  if (packet) {
    const kind = scope.path.benign ? `For example ${packetText(packet)}; harmless: ${scope.path.benign}.` : `For example ${packetText(packet)}:`;
    parts.push(el("p", { class: "dim" }, bdi(kind)), el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "The way of one packet" }, drawPath(scope.path, order, packet)));
  }
  if (scope.denied) parts.push(packetsTable(`Denied ${inside}`, scope.denied));
  if (scope.undecided) parts.push(packetsTable(`Cannot be decided ${inside}`, scope.undecided));
  return parts;
}

function repairOf(repair) {
  return el("div", { class: "repair" }, el("p", null, bdi(repair.text)), repair.owner ? el("p", { class: "dim" }, "To be made by ", bdi(repair.owner)) : null,
    repair.command ? command(repair.command) : repair.command === null ? el("p", { class: "dim" }, "The command is too long for this page; it is in the JSON report.") : null,
    repair.terraform ? el("details", null, el("summary", null, "Terraform"), copyable(el("pre", null, el("code", null, repair.terraform)), repair.terraform, "the Terraform block")) : null);
}

function drawTraffic(fact, item) {
  const network = factOf(item, "network");
  const order = network && network.enforcement_order;
  const parts = drawScope("Between two Pods of one node", fact.same_node, order);
  const repairs = [...fact.same_node.repairs];
  let more = fact.same_node.more_repairs;
  if (fact.any_node) {
    parts.push(...drawScope("Between any two nodes", fact.any_node, order));
    repairs.push(...fact.any_node.repairs.filter((one) => !repairs.some((held) => held.text === one.text && held.command === one.command)));
    more = Math.max(more, fact.any_node.more_repairs);
  } else {
    parts.push(el("p", { class: "dim" }, "The same holds between any two nodes of the cluster."));
  }
  if (repairs.length) {
    parts.push(el("h5", null, "Smallest repair"), el("p", { class: "dim" }, "Each permits exactly the packets that are denied above, and nothing else."), ...repairs.map(repairOf));
    if (more) parts.push(el("p", { class: "dim" }, `${counted(more, "more repair")} in the JSON report.`));
  }
  return parts;
}

// ---- printing

function printed(items, noun, one) {
  const some = items.slice(0, PRINT_CAP);
  const filters = FILTERS.filter((key) => state.filters[key]).map((key) => `${key} ${state.filters[key]}`);
  return [
    el("p", null, items.length > some.length
      ? `The first ${number(some.length)} of ${counted(items.length, noun)}; ${number(items.length - some.length)} are left out of this print.`
      : `${counted(items.length, noun)}.`, filters.length ? ` Filtered by ${filters.join(", ")}.` : ""),
    ...some.map((item) => el("div", { class: "printed" }, ...one(item).filter(Boolean))),
  ];
}

function preparePrint() {
  clearPrint();
  const view = views[state.view];
  const content = view && view.print();
  if (content) byId(state.view).append(el("div", { class: "print-only" }, ...content));
}

function clearPrint() {
  document.querySelectorAll(".print-only").forEach((node) => node.remove());
}

// ---- the page

function draw() {
  for (const section of document.querySelectorAll(".view")) section.hidden = section.id !== state.view;
  for (const link of document.querySelectorAll("#views a")) {
    if (link.hash === `#${state.view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (views[state.view]) views[state.view].draw();
}

/** Bring the views to the top of the window. They stick there, so asking the browser for them would do nothing. */
function toViews() {
  scrollTo(0, document.querySelector(".summary").getBoundingClientRect().bottom + scrollY);
}

/** Follow the hash: after a link, a page load, or the browser's Back. */
function arrive() {
  const anchor = readHash();
  draw();
  if (!location.hash || (anchor && !anchor.closest(".view"))) return;
  const part = anchor && !anchor.classList.contains("view") ? anchor : null;
  if (part) part.scrollIntoView({ block: "start" });
  else toViews();
  if (state.f || state.c) return;
  const focus = part ? part.querySelector("[tabindex='-1']") : byId(state.view).querySelector("h2");
  if (focus) focus.focus({ preventScroll: true });
}

function themeButton() {
  const names = { "": "auto", light: "light", dark: "dark" };
  const button = el("button", { type: "button" });
  const show = () => { button.textContent = `Theme: ${names[document.documentElement.dataset.theme || ""]}`; };
  button.addEventListener("click", () => {
    const order = ["", "light", "dark"];
    const next = order[(order.indexOf(document.documentElement.dataset.theme || "") + 1) % 3];
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    show();
  });
  show();
  return button;
}

function addCopyButtons() {
  for (const block of document.querySelectorAll("pre.command")) {
    const text = block.textContent;
    const holder = el("div", { class: "copyable" });
    block.replaceWith(holder);
    holder.append(block, copyButton(text, "the command"));
  }
}

function fail(problem) {
  byId("tools").append(el("span", { class: "state state-unknown" }, "Lists unavailable: "), String(problem && problem.message || problem));
}

async function start() {
  data = JSON.parse(await unpack("listing"));
  data.total = data.clusters.state.length;
  // Each resource of a finding comes as its distance from the one before it.
  let resource = 0;
  data.findings.resource = data.findings.resource.map((step) => { resource += step; return resource; });
  buildFindings();
  buildClusters();
  addCopyButtons();
  byId("tools").append(themeButton());
  document.documentElement.dataset.ready = "";
  details.ready = unpack("details").then((text) => {
    const lines = text.split("\n");
    details.header = JSON.parse(lines[0]);
    details.lines = lines;
    lines.shift();
  });
  arrive();
  addEventListener("hashchange", arrive);
  addEventListener("beforeprint", preparePrint);
  addEventListener("afterprint", clearPrint);
  // Warm what the first search needs while nobody waits for it.
  let next = 0;
  const warm = (deadline) => {
    while (next < views.findings.total && deadline.timeRemaining() > 2) {
      for (const end = Math.min(next + 200, views.findings.total); next < end; next += 1) views.findings.haystack(next);
    }
    if (next < views.findings.total) requestIdleCallback(warm);
  };
  if ("requestIdleCallback" in window) requestIdleCallback(warm);
  await details.ready;
}

start().catch(fail);
