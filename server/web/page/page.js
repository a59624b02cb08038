// A plain view of what plays, over the protocol of docs/protocol.md; it uses nothing else.

const PARTS = 8, BACK = 4, AHEAD = 6; // seconds of the piano roll before and after now
const $ = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token") ?? "";

let socket, session, lastEvent = 0, wait = 500, nextId = 1;
let capabilities, shown, state, mine = false;
let bars = new Map(); // index → {due, bar} of the stream that is shown
let samples = [], offset = 0; // microseconds from this page's clock to the server's

const clock = () => performance.now() * 1000;
const now = () => clock() + offset;
const length = ({ bar }) => bar.ticks * bar.tempo / 24;

function say(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(scheme + "//" + location.host + "/ws");
  socket.onopen = () => say({
    type: "hello", protocol: 1, token,
    ...(session && { resume: { session, event: lastEvent } }),
  });
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = ({ code, reason }) => {
    const why = reason ? " (" + reason + ")" : "";
    if (code === 4001 || code === 4002 || code === 4003) return link("Not connected" + why, false);
    link("Connection lost" + why + ", trying again…", false);
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 10000);
  };
}

const hearing = {
  welcome(message) {
    if (message.session !== session) lastEvent = 0;
    session = message.session;
    capabilities = message.capabilities;
    mine = capabilities.may_steer_stations;
    wait = 500;
    samples = [];
    link("Connected to perpetuo " + message.server, true);
    showStations();
    for (let i = 0; i < 8; i++) setTimeout(ping, i * 60);
    if (!message.resumed && !message.listening.length) listen(shown ?? capabilities.stations[0]?.name);
  },
  pong({ t, time }) {
    const received = clock();
    samples = [...samples.slice(-15), { trip: received - t, offset: time - (t + received) / 2 }];
    offset = samples.reduce((best, sample) => sample.trip < best.trip ? sample : best).offset;
  },
  state(message) { state = message; bars = new Map(); showControls(); },
  bar({ due, bar }) { bars.set(bar.index, { due, bar }); },
  moved({ bar, later }) { for (const [index, held] of bars) if (index >= bar) held.due += later; },
  steered({ controls, preset, bar, by }) {
    Object.assign(state.controls, controls);
    state.preset = preset;
    showControls();
    tell(Object.keys(controls).join(", ") + ": heard from bar " + bar + " on (" + by + ")");
  },
  turned(message) {
    if (message.epoch > state.epoch) {
      for (const [index, { due }] of bars) if (due > now()) bars.delete(index);
      // Bars of the last epoch have other numbers than those to come: keep them apart.
      bars = new Map([...bars].map(([index, held]) => ["before " + index, held]));
    }
    Object.assign(state, message);
    showControls();
    tell(message.reason);
  },
  error({ message }) { tell(message, true); showControls(); },
};

function hear(message) {
  if (message.event) lastEvent = message.event;
  if (message.stream && message.stream !== shown) return;
  hearing[message.type]?.(message);
}

function ping() { say({ type: "ping", t: clock(), event: lastEvent }); }

function listen(stream) {
  if (!stream) return;
  if (shown && shown !== stream) say({ type: "unlisten", stream: shown });
  shown = stream;
  say({ type: "listen", id: nextId++, stream, past: 8 });
  showStations();
}

function link(text, up) { $("link").textContent = text; $("link").className = up ? "" : "down"; }
function tell(text, refused = false) { $("heard").textContent = text; $("heard").className = refused ? "refused" : ""; }

function element(name, text = "", attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  made.textContent = text;
  return made;
}

function showStations() {
  $("stations").replaceChildren(...capabilities.stations.map(({ name }) => {
    const button = element("button", name, { onclick: () => listen(name) });
    button.setAttribute("aria-pressed", name === shown);
    return button;
  }));
}

const spelled = (value) => value === null ? "auto" : typeof value === "object" ? JSON.stringify(value) : String(value);

function showControls() {
  if (!state) return;
  const groups = new Map();
  for (const control of capabilities.controls) {
    if (!groups.has(control.group)) groups.set(control.group, [element("h3", control.group)]);
    const label = element("label", control.name.replaceAll("_", " "), { title: control.help + " " + control.accepts });
    const input = element("input", "", { value: spelled(state.controls[control.name]), disabled: !mine });
    input.onchange = () => steer(control.name, input.value);
    label.append(input);
    groups.get(control.group).push(label);
  }
  if ($("controls").contains(document.activeElement)) return; // not under somebody's hands
  $("controls").replaceChildren(...[...groups.values()].map((rows) => {
    const box = element("div");
    box.append(...rows);
    return box;
  }));
  if (!mine) tell("The controls of this station may not be turned from here.");
}

function steer(name, text) {
  let value = text;
  if (/^\s*[[{]/.test(text)) try { value = JSON.parse(text); } catch { /* the server says what is wrong */ }
  document.activeElement?.blur();
  say({ type: "steer", id: nextId++, stream: shown, controls: { [name]: value } });
}

function upkeep() {
  const until = now() - (BACK + 8) * 1e6;
  for (const [index, held] of bars) if (held.due + length(held) < until) bars.delete(index);
  ping();
}

let drawn = "";
function showBars(ordered, time) {
  const coming = ordered.filter((held) => held.due + length(held) > time).slice(0, 6);
  const key = coming.map(({ bar }) => bar.index + "." + bar.revision).join() + (coming[0]?.due <= time);
  if (key === drawn) return;
  drawn = key;
  $("bars").replaceChildren(...coming.map((held) => {
    const item = element("li", "", { className: held.due <= time ? "sounding" : "" });
    item.append(
      element("b", held.bar.chords.filter(Boolean).join(" ") || "–"),
      element("small", "bar " + held.bar.index + (held.bar.section && " · section " + held.bar.section)),
      element("small", held.bar.notes.length + " notes" + (held.bar.revision ? " · revision " + held.bar.revision : "")),
    );
    return item;
  }));
}

function showPlace(held, time) {
  if (!held) { $("place").textContent = state ? state.state : ""; return; }
  const { bar, due } = held;
  const beat = 1 + Math.floor((time - due) / (bar.tempo * 4 / Number(bar.metre.split("/")[1])));
  const place = "Bar " + bar.index + ", beat " + beat + " · " + bar.metre + " · " + bar.key + " · " +
    Math.round(6e7 / bar.tempo) + " quarters a minute" + (state.state === "playing" ? "" : " · " + state.state);
  if ($("place").textContent !== place) $("place").textContent = place;
}

function draw() {
  requestAnimationFrame(draw);
  const canvas = $("roll"), ratio = devicePixelRatio || 1, style = getComputedStyle(document.documentElement);
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio)) { canvas.width = width * ratio; canvas.height = height * ratio; }
  const pen = canvas.getContext("2d"), time = now();
  const ordered = [...bars.values()].sort((a, b) => a.due - b.due);
  const x = (at) => ((at - time) / 1e6 + BACK) / (BACK + AHEAD) * width;
  const y = (pitch) => height - (pitch - 20) / 90 * height;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui";
  for (const held of ordered) {
    pen.fillStyle = style.getPropertyValue("--line");
    pen.fillRect(x(held.due), 0, 1, height);
    pen.fillStyle = style.getPropertyValue("--soft");
    pen.fillText(held.bar.chords[0], x(held.due) + 4, 14);
    for (const [part, pitch, velocity, tick, ticks, shift] of held.bar.notes) {
      const on = held.due + tick * held.bar.tempo / 24 + shift, long = ticks * held.bar.tempo / 24;
      pen.fillStyle = style.getPropertyValue("--p" + Math.min(part, PARTS));
      pen.globalAlpha = 0.35 + velocity / 200;
      pen.fillRect(x(on), y(pitch), Math.max(2, long / 1e6 / (BACK + AHEAD) * width - 1), 4);
    }
    pen.globalAlpha = 1;
  }
  pen.fillStyle = style.getPropertyValue("--mark");
  pen.fillRect(x(time), 0, 2, height);
  const sounding = ordered.findLast(({ due }) => due <= time);
  showPlace(sounding, time);
  showBars(ordered, time);
}

connect();
setInterval(upkeep, 5000);
draw();
