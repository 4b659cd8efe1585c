"use strict";
// The dashboard: asks /api/backlog every other second, listens to /api/events for alerts, and
// remembers two minutes of what it saw for the sparklines. Names and messages come from clients and
// may be anything, so they are only ever set as text.

const TICK_MS = 2000;
const KEPT = 60;
const $ = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token");

// ---------------------------------------------------------------- making elements

function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** A sparkline of several series over the same moments; the first is filled. */
function sparkline(series, height = 30, label = "") {
  const width = 120;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img" });
  if (label) drawing.setAttribute("aria-label", label);
  else drawing.setAttribute("aria-hidden", "true");
  const most = Math.max(1e-9, ...series.flatMap((one) => one.points));
  for (const [index, { points, kind }] of series.entries()) {
    if (points.length < 2) continue;
    const step = width / (KEPT - 1);
    const left = width - (points.length - 1) * step;
    const at = points.map((value, i) =>
      `${(left + i * step).toFixed(2)},${(height - 2 - (value / most) * (height - 5)).toFixed(2)}`);
    if (index === 0) {
      drawing.append(svg("polygon", { class: "area", points: `${left},${height} ${at.join(" ")} ${width},${height}` }));
    }
    drawing.append(svg("polyline", { class: `line ${kind || ""}`, points: at.join(" ") }));
  }
  return drawing;
}

// ---------------------------------------------------------------- words for numbers

function count(number) {
  if (number === null || number === undefined) return "–";
  if (number < 10_000) return Number.isInteger(number) ? String(number) : number.toFixed(number < 10 ? 1 : 0);
  for (const [size, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (number >= size) return `${(number / size).toFixed(number < 10 * size ? 1 : 0)}${unit}`;
  }
  return String(number);
}

function bytes(number) {
  if (number < 1024) return `${number} B`;
  for (const [size, unit] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (number >= size) return `${(number / size).toFixed(number < 10 * size ? 1 : 0)} ${unit}`;
  }
  return String(number);
}

function time(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${Math.round(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} m`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
const stateName = (state) => state.replace("-", " ");
const causeName = (cause) => cause.replace("_", " ");
/** When it will be empty. A queue that flows is neither filling nor draining worth the word. */
function drain(queue) {
  if (queue.waiting === 0) return "–";
  if (queue.drain_s !== null) return time(queue.drain_s * 1000);
  return queue.state === "flowing" ? "steady" : "never";
}
const share = (part, whole) => `${Math.min(100, whole ? (100 * part) / whole : 0).toFixed(1)}%`;

function advice(queue) {
  const group = queue.type === "stream";
  switch (queue.state) {
    case "stalled":
      return `Work waits and nobody has taken any for ten seconds. ${queue.consumers_waiting
        ? "Consumers are connected, but wait for other keys first or do not ask for this one."
        : "No consumer is waiting: are the workers running, and do they ask for this name?"}`;
    case "building-up":
      if (queue.policy && queue.dropped) return `More comes than goes, and the policy ${queue.policy} lets the surplus go. Add consumers if that is not what it is for.`;
      return `More comes than goes: the backlog grows by ${count(Math.max(0, queue.rate_in_10s - queue.rate_out_10s))} a second. Add consumers, or bound it with WEIR.POLICY.`;
    case "flowing":
      return queue.waiting === 0 ? "Consumers keep up." : queue.drain_s === null ? "Messages go about as fast as they come." : `At the present rates it is empty in ${drain(queue)}.`;
    default:
      return group ? "No group has anything to do." : "Nothing waits, and nothing comes.";
  }
}

// ---------------------------------------------------------------- what was seen

const history = new Map();
const totals = { waiting: [], in: [], out: [], age: [], lost: [], memory: [] };

function remember(list, value) {
  list.push(value || 0);
  if (list.length > KEPT) list.shift();
}

const keyOf = (queue) => `${queue.db}/${queue.name}`;

function observe(answer) {
  const seen = new Set();
  for (const queue of answer.queues) {
    const key = keyOf(queue);
    seen.add(key);
    if (!history.has(key)) history.set(key, { waiting: [], in: [], out: [], age: [], missed: 0 });
    const known = history.get(key);
    known.missed = 0;
    remember(known.waiting, queue.waiting);
    remember(known.in, queue.rate_in_1s);
    remember(known.out, queue.rate_out_1s);
    remember(known.age, queue.oldest_age_ms);
  }
  for (const [key, known] of history) {
    if (!seen.has(key) && ++known.missed > KEPT) history.delete(key);
  }
  const sums = answer.totals;
  remember(totals.waiting, sums.waiting);
  remember(totals.in, sums.rate_in_1s);
  remember(totals.out, sums.rate_out_1s);
  remember(totals.age, sums.oldest_age_ms);
  const lost = Object.values(answer.drops).reduce((all, one) => all + one, 0);
  totals.lostNow = lost;
  remember(totals.lost, totals.lostBefore === undefined ? 0 : lost - totals.lostBefore);
  totals.lostBefore = lost;
}

// ---------------------------------------------------------------- the overview

function tile(label, value, unit, note, drawing, kind = "") {
  const shown = el("div", { class: "value", text: value });
  if (unit) shown.append(el("small", { text: unit }));
  return el("div", { class: `tile ${kind}` },
    el("div", { class: "label", text: label }), shown,
    note ? el("div", { class: "note", text: note }) : null, drawing);
}

function meter(part, whole) {
  const kind = whole && part > whole * 0.95 ? "bad" : whole && part > whole * 0.8 ? "warn" : "";
  const fill = el("i");
  fill.style.width = whole ? share(part, whole) : "0";
  return el("div", { class: `meter ${kind}` }, fill);
}

function drawTiles({ server, totals: sums }) {
  const budget = server.budget_bytes;
  $("tiles").replaceChildren(
    tile("Messages waiting", count(sums.waiting), "", `in ${plural(sums.queues, "queue")}${sums.streams ? `, ${plural(sums.streams, "stream")}` : ""}`,
      sparkline([{ points: totals.waiting }], 30, "messages waiting over the last two minutes")),
    tile("Oldest message", time(sums.oldest_age_ms), "", sums.stalled ? `${sums.stalled} stalled` : "nothing is stalled",
      sparkline([{ points: totals.age, kind: sums.stalled ? "age" : "" }]), sums.stalled ? "bad" : ""),
    tile("In", count(sums.rate_in_1s), "/s", `${count(sums.in)} since the start`, sparkline([{ points: totals.in }])),
    tile("Out", count(sums.rate_out_1s), "/s", `${count(sums.out)} since the start`, sparkline([{ points: totals.out, kind: "out" }])),
    tile("Lost", count(totals.lostNow), "", totals.lost.at(-1) > 0 ? `${count(totals.lost.at(-1) / (TICK_MS / 1000))}/s now` : "none at the moment",
      sparkline([{ points: totals.lost, kind: "age" }])),
    tile("Memory", bytes(server.resident_bytes), "", budget ? `of ${bytes(budget)} allowed` : "no limit", meter(server.resident_bytes, budget)),
  );
}

function cell(label, text, kind = "") {
  return el("td", { class: `number ${kind}`, "data-label": label, text });
}

const linkTo = (queue) => `#/queue/${queue.db}/${encodeURIComponent(queue.name)}`;

function drawRow(queue) {
  const known = history.get(keyOf(queue)) || { waiting: [] };
  const name = el("div", { class: "queue-name" },
    el("span", { class: `state ${queue.state}`, text: stateName(queue.state) }),
    el("a", { class: "name", href: linkTo(queue), title: queue.name, text: queue.name || "''" }),
    queue.type === "stream" ? el("span", { class: "kind", text: "stream" }) : null,
    queue.db ? el("span", { class: "kind", text: `db ${queue.db}` }) : null);
  const isLate = queue.state === "stalled";
  return el("tr", { class: "open", onclick: (event) => { if (!event.target.closest("a")) location.hash = linkTo(queue); } },
    el("td", {}, name),
    el("td", { class: "spark" }, sparkline([{ points: known.waiting, kind: isLate ? "age" : "" }], 26)),
    cell("Waiting", count(queue.waiting), queue.waiting ? "" : "zero"),
    cell("Oldest", time(queue.oldest_age_ms), isLate ? "bad" : queue.oldest_age_ms === null ? "zero" : ""),
    cell("In /s", count(queue.rate_in_10s), queue.rate_in_10s ? "" : "zero"),
    cell("Out /s", count(queue.rate_out_10s), queue.rate_out_10s ? "" : "zero"),
    cell("Wait p99", time(queue.wait_p99_ms), queue.wait_p99_ms === null ? "zero" : ""),
    cell("Drains in", drain(queue), drain(queue) === "never" ? "warn" : "zero"),
    cell("Consumers", count(queue.consumers_waiting), queue.consumers_waiting ? "" : "zero"),
    cell("Lost", count(queue.dropped), queue.dropped ? "" : "zero"));
}

/** Puts rows into a table without moving the focus away. */
function fill(body, rows, emptyId) {
  const focused = document.activeElement && body.contains(document.activeElement)
    ? document.activeElement.getAttribute("href") : null;
  body.replaceChildren(...rows);
  body.closest("table").hidden = rows.length === 0;
  if (emptyId) $(emptyId).hidden = rows.length > 0;
  if (focused) [...body.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
}

function drawQueues({ queues, totals: sums }) {
  fill($("rows"), queues.map(drawRow), "nothing");
  const all = sums.queues + sums.streams;
  $("count-queues").textContent = count(all);
  $("shown").textContent = all > queues.length ? `${queues.length} of ${count(all)} shown` : "";
  $("nothing").textContent = $("match").value
    ? "No queue or stream has a name that matches."
    : "No queue yet. The first LPUSH, RPUSH or XADD shows up here.";
}

function drawChannels({ channels, slow_subscribers: slow }) {
  $("count-channels").textContent = count(channels.length);
  fill($("channel-rows"), channels.map((channel) => el("tr", {},
    el("td", {}, el("div", { class: "queue-name" }, el("span", { class: "name", text: channel.name }),
      channel.type === "channel" ? null : el("span", { class: "kind", text: channel.type }))),
    cell("Subscribers", count(channel.subscribers)),
    cell("Published", count(channel.published)),
    cell("Delivered", count(channel.delivered)),
    cell("Slowest outbox", bytes(channel.outbox_bytes_max), channel.outbox_bytes_max ? "warn" : "zero"),
    cell("Lost", count(channel.dropped), channel.dropped ? "bad" : "zero"))), "no-channels");
  fill($("slow-rows"), slow.map((client) => el("tr", {},
    el("td", {}, el("span", { class: "name", text: `${client.address}${client.name ? ` (${client.name})` : ""}` })),
    cell("Subscriptions", count(client.subscriptions)),
    cell("Waiting", count(client.waiting), client.waiting ? "warn" : "zero"),
    cell("Bytes", bytes(client.waiting_bytes)),
    cell("Lost", count(client.dropped), client.dropped ? "bad" : "zero"))), "no-slow");
}

function bars(facts, kind = "") {
  const most = Math.max(1, ...facts.map(([, value]) => value));
  const holder = el("div", { class: `bars ${kind}` });
  for (const [name, value] of facts) {
    const fillBar = el("i");
    fillBar.style.width = share(value, most);
    holder.append(el("div", { class: "row" }, el("span", { text: name }), el("span", { class: "track" }, fillBar), el("b", { text: count(value) })));
  }
  return holder;
}

const byValue = (facts) => Object.entries(facts).map(([name, value]) => [causeName(name), value]).sort((a, b) => b[1] - a[1]);

function drawLosses({ drops, policies, server }) {
  const causes = byValue(drops);
  $("causes").replaceChildren(causes.length ? bars(causes, "losses") : el("p", { class: "faint", text: "Nothing was lost." }));
  const budget = server.budget_bytes;
  $("memory").replaceChildren(
    el("p", {}, el("b", { text: bytes(server.resident_bytes) }), ` resident${budget ? `, of ${bytes(budget)} that maxmemory allows (${share(server.resident_bytes, budget)})` : ", no limit"}`),
    meter(server.resident_bytes, budget),
    el("p", { class: "faint", text: { serving: "Writes are taken.", shedding: "Messages go where policies allow it, so that the rest fits.", refusing: "Writes are refused until memory is free." }[server.health] }));
  fill($("policy-rows"), policies.map((policy) => el("tr", {},
    el("td", {}, el("span", { class: "name", text: policy.policy })),
    cell("Queues", count(policy.queues + policy.streams)),
    cell("Stalled", count(policy.stalled), policy.stalled ? "bad" : "zero"),
    cell("Building up", count(policy.building_up), policy.building_up ? "warn" : "zero"),
    cell("Messages", count(policy.length)),
    cell("Bytes", bytes(policy.bytes)),
    cell("Oldest", time(policy.oldest_age_ms)),
    cell("Lost", count(policy.dropped), policy.dropped ? "" : "zero"))), "no-policies");
}

function drawAlerts(alerts, length) {
  $("alerts").hidden = alerts.length === 0;
  $("alerts").replaceChildren(...alerts.slice(0, 6).map((alert) => {
    const link = el("a", { class: "name", href: linkTo({ db: alert.db, name: alert.queue }), text: alert.queue });
    const words = alert.alert === "alert-age"
      ? [`: the oldest message has waited ${time(alert.value)}, more than ${time(alert.threshold)}`]
      : [`: ${count(alert.value)} messages wait, ${count(alert.threshold)} or more are too many`];
    return el("p", {}, "⚠ ", link, ...words, el("span", { class: "faint", text: ` (policy ${alert.policy})` }));
  }), ...(length > 6 ? [el("p", { text: `and ${count(length - 6)} more` })] : []));
}

function drawServer(server) {
  $("server").textContent = `${server.address} · ${server.version} · up ${time(server.uptime_s * 1000)} · ${count(server.clients)} clients · ${count(server.commands_per_s)} commands/s`;
  const kind = { serving: "good", shedding: "warn", refusing: "bad" }[server.health];
  $("health").className = `health ${kind}`;
  $("health").textContent = server.health;
}

// ---------------------------------------------------------------- one queue

function fact(name, value) {
  return el("div", {}, el("dt", { text: name }), el("dd", { text: value }));
}

/** The waits as columns: powers of two, or single steps where they are few. */
function histogram(waits) {
  const columns = waits.length <= 40 ? waits : waits.reduce((all, step) => {
    const until = 2 ** Math.ceil(Math.log2(step.until_ms));
    const last = all.at(-1);
    if (last && last.until_ms === until) last.messages += step.messages;
    else all.push({ until_ms: until, messages: step.messages });
    return all;
  }, []);
  const most = Math.max(1, ...columns.map((step) => step.messages));
  const drawn = columns.map((step) => {
    const column = el("i", { title: `${count(step.messages)} waited less than ${time(step.until_ms)}` });
    column.style.height = share(step.messages, most);
    return column;
  });
  return [el("div", { class: "histogram", role: "img", "aria-label": "how long messages waited" }, ...drawn),
    el("div", { class: "axis" }, el("span", { text: `under ${time(columns[0].until_ms)}` }), el("span", { text: `under ${time(columns.at(-1).until_ms)}` }))];
}

function card(title, ...children) {
  return el("section", { class: "card" }, el("h2", { text: title }), ...children);
}

function chart(queue) {
  const known = history.get(keyOf(queue)) || { waiting: [], in: [], out: [] };
  return el("div", { class: "halves" },
    card("Waiting, last two minutes", el("div", { class: "chart" }, sparkline([{ points: known.waiting }], 60),
      el("div", { class: "legend" }, el("span", {}, el("i"), "waiting ", el("b", { text: count(queue.waiting) }))))),
    card("In and out per second", el("div", { class: "chart" }, sparkline([{ points: known.in }, { points: known.out, kind: "out" }], 60),
      el("div", { class: "legend" },
        el("span", {}, el("i"), "in ", el("b", { text: count(queue.rate_in_1s) }), ` · 10 s ${count(queue.rate_in_10s)} · 1 min ${count(queue.rate_in_1m)}`),
        el("span", {}, el("i", { class: "out" }), "out ", el("b", { text: count(queue.rate_out_1s) }), ` · 10 s ${count(queue.rate_out_10s)} · 1 min ${count(queue.rate_out_1m)}`)))));
}

function groupsTable(groups) {
  const rows = groups.map((group) => el("tr", {},
    el("td", {}, el("span", { class: "name", text: group.name })),
    cell("Consumers", count(group.consumers)),
    cell("Lag", count(group.lag), group.lag ? "" : "zero"),
    cell("Pending", count(group.pending), group.pending ? "" : "zero"),
    cell("Oldest pending", time(group.oldest_pending_ms)),
    cell("Out /s", count(group.rate_out_10s)),
    cell("Acked /s", count(group.rate_ack_10s)),
    cell("Wait p99", time(group.wait_p99_ms)),
    cell("Redelivered", count(group.redelivered), group.redelivered ? "warn" : "zero"),
    cell("Dead letters", count(group.dead_lettered), group.dead_lettered ? "bad" : "zero")));
  const heads = ["Group", "Consumers", "Lag", "Pending", "Oldest pending", "Out /s", "Acked /s", "Wait p99", "Redelivered", "Dead letters"];
  return el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((text, i) => el("th", { scope: "col", class: i ? "number" : "", text })))), el("tbody", {}, ...rows));
}

function messagesTable(queue, messages) {
  const rows = messages.map((message) => {
    const shown = el("td", { class: "wrap message", text: message.text });
    if (message.bytes > message.text.length && message.text.length >= 500) shown.append(el("span", { class: "more", text: " …" }));
    return el("tr", {}, el("td", { class: "faint", text: message.at }), cell("Age", time(message.age_ms)), cell("Size", bytes(message.bytes)), shown);
  });
  const heads = [queue.type === "stream" ? "Id" : "Index", "Age", "Size", "Message"];
  return el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((text, i) => el("th", { scope: "col", class: i === 1 || i === 2 ? "number" : "", text })))), el("tbody", {}, ...rows));
}

function drawOne({ queue, waits, messages }) {
  const drops = byValue(queue.drops);
  const parts = [
    el("a", { class: "back", href: "#/", text: "← All queues" }),
    el("div", { class: "title" }, el("h1", { class: "name", text: queue.name || "''" }),
      el("span", { class: `state ${queue.state}`, text: stateName(queue.state) }),
      el("span", { class: "faint", text: `${queue.type}, database ${queue.db}${queue.policy ? `, policy ${queue.policy}` : ""}` })),
    el("p", { class: "advice", text: advice(queue) }),
    el("dl", { class: "facts" },
      fact("Waiting", count(queue.waiting)), fact("Bytes", bytes(queue.bytes)), fact("Oldest", time(queue.oldest_age_ms)),
      fact("Drains in", drain(queue)), fact("Consumers waiting", count(queue.consumers_waiting)),
      fact("Came", count(queue.in)), fact("Delivered", count(queue.out)), fact("Lost", count(queue.dropped))),
    chart(queue),
    el("div", { class: "halves" },
      card("How long messages waited, last minute",
        ...(waits.length ? histogram(waits) : [el("p", { class: "faint", text: queue.type === "stream" ? "Of the group that waits longest:" : "None was delivered." })]),
        el("p", { class: "faint", text: queue.wait_p50_ms === null ? "" : `half within ${time(queue.wait_p50_ms)}, 90% within ${time(queue.wait_p90_ms)}, 99% within ${time(queue.wait_p99_ms)}, longest ${time(queue.wait_max_ms)}` })),
      card("Lost, by cause", drops.length ? bars(drops, "losses") : el("p", { class: "faint", text: "Nothing was lost." }))),
  ];
  if (queue.groups?.length) parts.push(el("h2", { text: "Groups" }), groupsTable(queue.groups));
  if (messages.length) {
    parts.push(el("h2", { text: queue.type === "stream" ? "Latest entries (nothing is taken)" : "Messages at both ends (nothing is taken)" }), messagesTable(queue, messages));
  }
  $("one").replaceChildren(...parts);
}

// ---------------------------------------------------------------- routes, keys, time

function route() {
  const found = location.hash.match(/^#\/queue\/(\d+)\/(.*)$/);
  if (!found) return null;
  try {
    return { db: Number(found[1]), name: decodeURIComponent(found[2]) };
  } catch {
    return null;
  }
}

function ask(path, query) {
  const asked = new URLSearchParams(query);
  if (token) asked.set("token", token);
  return fetch(`${path}?${asked}`, { cache: "no-store" }).then(async (answer) => {
    if (answer.status === 403) throw new Error((await answer.text()).trim());
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    return answer.json();
  });
}

let drawn = 0;

async function refresh() {
  const mine = ++drawn;
  const open = route();
  try {
    const [answer, one] = await Promise.all([
      ask("api/backlog", { match: $("match").value, sort: $("sort").value, limit: 200 }),
      open ? ask("api/queue", open) : null,
    ]);
    if (mine !== drawn) return;
    observe(answer);
    drawServer(answer.server);
    drawAlerts(answer.alerts, answer.alerts_len);
    if (one) {
      drawOne(one);
    } else {
      drawTiles(answer);
      drawQueues(answer);
      drawChannels(answer);
      drawLosses(answer);
    }
    $("overview").hidden = Boolean(one);
    $("one").hidden = !one;
    document.title = one ? `${one.queue.name} · Weir` : answer.totals.stalled ? `(${answer.totals.stalled} stalled) Weir` : "Weir";
    document.body.dataset.ready = "yes";
  } catch (error) {
    $("health").className = "health bad";
    $("health").textContent = `no answer: ${error.message}`;
  }
}

function show(tab) {
  for (const button of document.querySelectorAll(".tabs button")) {
    const isIt = button.dataset.tab === tab;
    button.setAttribute("aria-selected", isIt);
    button.tabIndex = isIt ? 0 : -1;
    $(button.dataset.tab).hidden = !isIt;
  }
}

function theme(wanted) {
  document.documentElement.dataset.theme = wanted;
  try { localStorage.setItem("weir-theme", wanted); } catch { /* private mode: the choice lasts for this page */ }
}

function firstTheme() {
  const asked = new URLSearchParams(location.search).get("theme");
  let kept = null;
  try { kept = localStorage.getItem("weir-theme"); } catch { /* as above */ }
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = asked || kept || system;
}

function otherTheme() {
  theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
}

function moveRow(by) {
  const links = [...$("rows").querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  links[Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select")) {
    if (event.key === "Escape" || event.key === "Enter") event.target.blur();
    return;
  }
  if (event.key === "/") { event.preventDefault(); location.hash = "#/"; show("queues"); $("match").focus(); }
  else if (event.key === "j" || event.key === "ArrowDown" && $("rows").contains(document.activeElement)) { event.preventDefault(); moveRow(1); }
  else if (event.key === "k" || event.key === "ArrowUp" && $("rows").contains(document.activeElement)) { event.preventDefault(); moveRow(-1); }
  else if (event.key === "t") otherTheme();
  else if (event.key === "Escape" && route()) location.hash = "#/";
  else if ((event.key === "ArrowRight" || event.key === "ArrowLeft") && event.target.matches(".tabs button")) {
    const tabs = [...document.querySelectorAll(".tabs button")];
    const next = tabs[(tabs.indexOf(event.target) + (event.key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length];
    show(next.dataset.tab);
    next.focus();
  }
});

firstTheme();
show("queues");
for (const button of document.querySelectorAll(".tabs button")) button.addEventListener("click", () => show(button.dataset.tab));
$("theme").addEventListener("click", otherTheme);
$("sort").addEventListener("change", refresh);
let typing = 0;
$("match").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(refresh, 200); });
addEventListener("hashchange", () => { scrollTo(0, 0); refresh(); });
if (token) for (const id of ["metrics", "json"]) $(id).href += `?token=${encodeURIComponent(token)}`;
refresh();
setInterval(() => { if (!document.hidden) refresh(); }, TICK_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
// Alerts do not wait for the next look.
new EventSource(`api/events${token ? `?token=${encodeURIComponent(token)}` : ""}`).addEventListener("alert", refresh);
