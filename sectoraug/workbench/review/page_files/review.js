"use strict";
// The server's order of masks never changes while it runs; a page is a window on it, as large as the screen allows.

const $ = (id) => document.getElementById(id);
const LETTERS = { in: "i", out: "o" };
const VERDICTS = { i: "in", o: "out", "-": null, x: null };
const OUTLINES = { in: "#5bb8f0", out: "#ff9152" };
const KEPT_SPRITES = 6;
const IDLE_MS = 20000; // a longer wait is a break, not work

const session = (sessionStorage.session ||= Math.random().toString(36).slice(2, 12));
let undoable = []; // what this tab did: {at, changes: [[index, was, became]]}
const sprites = new Map(); // number -> promise of {picture, tiles}
const ready = new Map(); // number -> the same, once it is there
const work = { ms: 0, decided: 0, last: performance.now() };
let verdicts = []; // a letter a mask
let perSprite = 48;
let [columns, pageSize] = [8, 48]; // as the style sheet has it for this screen
let goes = "in"; // what untouched tiles count as
let here = 0; // the mask in focus
let outlines = true;
let shown = null; // the first mask of the page whose pictures are on the screen
let writing = Promise.resolve();
let failed = false;

const firstOfPage = () => here - (here % pageSize);
const verdictOf = (index) => VERDICTS[verdicts[index]];
const goesTo = (index) => verdictOf(index) ?? (verdicts[index] === "x" ? null : goes);

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

// Pictures ---------------------------------------------------------------------------------------------------------

function sprite(number) {
  if (!sprites.has(number)) {
    const load = async () => {
      const [picture, tiles] = await Promise.all([
        get(`sprites/${number}`).then((a) => a.blob()).then(createImageBitmap),
        get(`tiles/${number}`).then((a) => a.json()),
      ]);
      tiles.forEach((tile, place) => {
        const index = number * perSprite + place;
        if (tile.trouble && verdicts[index] === "-") verdicts[index] = "x";
        tile.path = pathOf(tile.contours);
      });
      return { picture, tiles };
    };
    const loading = load();
    loading.then((s) => sprites.get(number) === loading && ready.set(number, s), () => sprites.delete(number));
    sprites.set(number, loading);
  }
  return sprites.get(number);
}

function pathOf(contours) {
  const path = new Path2D();
  for (const line of contours) {
    line.forEach(([x, y], k) => (k ? path.lineTo(x + 0.5, y + 0.5) : path.moveTo(x + 0.5, y + 0.5)));
    path.closePath();
  }
  return path;
}

function spritesOfPage(first) {
  const last = Math.min(first + pageSize, verdicts.length) - 1;
  const numbers = [];
  for (let n = Math.floor(first / perSprite); n <= Math.floor(last / perSprite); n++) numbers.push(n);
  return numbers;
}

const load = (first) => Promise.all(spritesOfPage(first).map(sprite));
const isReady = (first) => spritesOfPage(first).every((n) => ready.has(n));

function forgetFarSprites(first) {
  const near = Math.floor(first / perSprite);
  for (const [number, loading] of sprites) {
    if (Math.abs(number - near) > KEPT_SPRITES / 2) {
      sprites.delete(number);
      ready.delete(number);
      loading.then((s) => s.picture.close(), () => {});
    }
  }
}

/** Draw a frame and its outline to fit (width, height) in CSS pixels. */
function draw(canvas, [width, height], tile, picture, source, colour) {
  const density = devicePixelRatio || 1;
  const [w, h] = [Math.round(width * density), Math.round(height * density)];
  if (canvas.width !== w) canvas.width = w; // setting a size, even the same, is slow
  if (canvas.height !== h) canvas.height = h;
  const [rows, cols] = tile.size;
  const scale = Math.min(w / cols, h / rows);
  const pen = canvas.getContext("2d", { alpha: false });
  pen.resetTransform();
  pen.fillRect(0, 0, w, h);
  pen.translate((w - cols * scale) / 2, (h - rows * scale) / 2);
  pen.imageSmoothingQuality = "high";
  if (picture) pen.drawImage(picture, ...source, 0, 0, cols * scale, rows * scale);
  if (!outlines) return;
  pen.scale(scale, scale);
  pen.lineJoin = "round";
  // Black beneath, so that the line shows on bright tissue.
  for (const [ink, line] of [["rgb(0 0 0 / 65%)", 4], [colour, 2]]) {
    pen.strokeStyle = ink;
    pen.lineWidth = (line * density) / scale;
    pen.stroke(tile.path);
  }
}

// The sheet --------------------------------------------------------------------------------------------------------

function fitToScreen() {
  const style = getComputedStyle(document.documentElement);
  const number = (name) => Number(style.getPropertyValue(name));
  columns = number("--columns");
  pageSize = columns * number("--rows");
  if (verdicts.length) show();
}

function layTiles() {
  const sheet = $("sheet");
  while (sheet.children.length > pageSize) sheet.lastChild.remove();
  while (sheet.children.length < pageSize) {
    const tile = document.createElement("button");
    tile.className = "tile";
    tile.setAttribute("role", "gridcell");
    tile.append(...["canvas", "small", "em"].map((name) => document.createElement(name)));
    sheet.append(tile);
  }
}

async function show() {
  const first = firstOfPage();
  forgetFarSprites(first);
  layTiles();
  if (!isReady(first)) {
    shown = null;
    $("sheet").ariaBusy = "true";
    paintTiles(first); // marks at once, pictures as they come
    paintCounts();
    try {
      await load(first);
    } catch (error) {
      fail(error);
      return;
    }
    if (first !== firstOfPage()) return; // turned on meanwhile
  }
  paintTiles(first);
  paintCounts();
  shown = first;
  $("sheet").ariaBusy = "false";
  if ($("look").open) look();
  else if (!document.activeElement.closest("header, footer")) focusHere();
  const next = first + pageSize;
  if (next < verdicts.length) load(next).catch(() => {});
}

function paintTiles(first) {
  const buttons = [...$("sheet").children];
  // Measured once: each look at the layout after a change would lay out the page again.
  const size = [buttons[0].clientWidth, buttons[0].clientHeight];
  buttons.forEach((button, place) => {
    button.hidden = first + place >= verdicts.length;
    if (!button.hidden) paintTile(button, first + place, size);
  });
}

function paintTile(button, index, size) {
  const [canvas, quality, trouble] = button.children;
  const from = ready.get(Math.floor(index / perSprite));
  const tile = from && from.tiles[index % perSprite];
  const to = goesTo(index);
  button.dataset.index = index;
  button.dataset.goes = to ?? "";
  button.toggleAttribute("data-decided", verdictOf(index) !== null);
  button.toggleAttribute("data-trouble", Boolean(tile && tile.trouble));
  button.classList.toggle("here", index === here);
  button.tabIndex = index === here ? 0 : -1;
  const said = verdictOf(index) ? "decided" : "untouched";
  button.setAttribute("aria-label", `Mask ${index + 1}, ${to ?? "no picture"}, ${said}`);
  quality.textContent = tile && tile.quality !== null ? tile.quality.toFixed(2) : "";
  trouble.textContent = tile ? tile.trouble : "";
  canvas.hidden = !tile;
  if (tile) draw(canvas, size, tile, tile.trouble ? null : from.picture, tile.cell, OUTLINES[to] ?? "#9aa4aa");
}

function repaint(indices) {
  const first = firstOfPage();
  for (const index of indices) {
    const button = $("sheet").children[index - first];
    if (button) paintTile(button, index, [button.clientWidth, button.clientHeight]);
  }
  paintCounts();
  if ($("look").open) look();
}

function paintCounts() {
  const count = { i: 0, o: 0, "-": 0, x: 0 };
  for (const letter of verdicts) count[letter]++;
  const total = verdicts.length;
  const done = count.i + count.o;
  const number = (n) => n.toLocaleString("en");
  $("done").textContent = `${number(done)} of ${number(total)} sorted`;
  $("in").textContent = `${number(count.i)} in`;
  $("out").textContent = `${number(count.o)} out`;
  $("unseen").hidden = !count.x;
  $("unseen").textContent = `${number(count.x)} without a picture`;
  $("bar-in").style.width = `${(100 * count.i) / total}%`;
  $("bar-out").style.width = `${(100 * count.o) / total}%`;
  const bar = $("bar-in").parentElement;
  bar.setAttribute("aria-valuemax", total);
  bar.setAttribute("aria-valuenow", done);
  const left = count["-"];
  let pace = `${number(left)} left`;
  if (left && work.ms > 5000 && work.decided >= 24) {
    const perMinute = work.decided / (work.ms / 60000);
    const minutes = left / perMinute;
    pace += `, about ${minutes < 1 ? "a minute" : `${Math.ceil(minutes)} min`} at ${number(Math.round(perMinute))} a minute`;
  }
  $("pace").textContent = pace;
  const pages = Math.ceil(total / pageSize);
  const page = Math.floor(here / pageSize) + 1;
  $("page").textContent = `Page ${number(page)} of ${number(pages)}`;
  $("next").textContent = page === pages ? "Confirm, finish" : "Confirm, next";
  $("back").disabled = page === 1;
  $("undo").disabled = !undoable.length;
  document.title = `${Math.floor((100 * done) / total)}% sorted`;
  for (const input of document.querySelectorAll("[name=default]")) input.checked = input.value === goes;
}

function say(text, good) {
  $("message").textContent = text;
  $("message").hidden = !text;
  $("message").classList.toggle("good", Boolean(good));
}

function fail(error) {
  failed = true;
  say(
    error instanceof TypeError
      ? "The review has ended, or cannot be reached. Start it again; all but what you did last is kept."
      : `${error.message} Reload this page; all but what you did last is kept.`,
  );
}

// Decisions --------------------------------------------------------------------------------------------------------

/** Changes are [index, verdict, verdicts it may replace]: shown at once, written in order. */
function decide(how, changes) {
  if (!changes.length) return;
  for (const [index, verdict] of changes) verdicts[index] = LETTERS[verdict] ?? "-";
  const body = JSON.stringify({ session, how, changes });
  writing = writing.then(async () => {
    if (failed) return;
    try {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch("decisions", { method: "POST", headers, body, keepalive: true });
      if (!answer.ok) throw new Error(await answer.text());
      await answer.text();
    } catch (error) {
      fail(error);
    }
  });
}

function remember(changes) {
  undoable.push({ at: here, changes });
  if (undoable.length > 300) undoable.shift();
  sessionStorage.undoable = JSON.stringify(undoable);
}

function tick(decided) {
  const now = performance.now();
  if (now - work.last < IDLE_MS) work.ms += now - work.last;
  work.last = now;
  work.decided += decided;
}

function toggle(index) {
  if (failed || shown !== firstOfPage()) return;
  const was = verdictOf(index);
  // A tile that nobody can see is out before it is in.
  const became = goesTo(index) === "out" ? "in" : "out";
  decide("hand", [[index, became, [null, "in", "out"]]]);
  remember([[index, was, became]]);
  tick(was ? 0 : 1);
  say("");
  repaint([index]);
}

function turn() {
  const first = firstOfPage();
  if (failed || shown !== first) return; // nobody has seen it
  performance.mark("turn");
  const untouched = [];
  const end = Math.min(first + pageSize, verdicts.length);
  for (let index = first; index < end; index++) if (verdicts[index] === "-") untouched.push(index);
  decide("page", untouched.map((index) => [index, goes, [null]]));
  if (untouched.length) remember(untouched.map((index) => [index, null, goes]));
  tick(untouched.length);
  if (end < verdicts.length) {
    here = end;
    say("");
    measure(show());
  } else {
    show();
    const open = verdicts.indexOf("-");
    say(open < 0 ? "All sorted, and written. You can close this page." : "The last page; some before are open: page up.", open < 0);
  }
}

async function measure(painting) {
  await painting;
  requestAnimationFrame(() => setTimeout(() => performance.measure("page", "turn")));
}

function back() {
  if (firstOfPage() === 0) return;
  here = firstOfPage() - pageSize;
  say("");
  show();
}

function undo() {
  const last = undoable.pop();
  if (failed || !last) return;
  sessionStorage.undoable = JSON.stringify(undoable);
  const changes = last.changes.filter(([index, , became]) => verdictOf(index) === became);
  decide("undo", changes.map(([index, was, became]) => [index, was, [became]]));
  tick(-changes.filter(([, was]) => was === null).length);
  here = Math.min(last.changes.length === 1 ? last.changes[0][0] : last.at, verdicts.length - 1);
  say("");
  show();
}

/** Take in what other sessions have decided. */
async function refresh() {
  await writing;
  if (failed) return;
  try {
    const state = await (await get("state")).json();
    verdicts = [...state.verdicts];
    show();
  } catch (error) {
    fail(error);
  }
}

// One mask on the whole screen -------------------------------------------------------------------------------------

let looked = { index: -1, picture: null };

async function look() {
  const index = here;
  if (!$("look").open) {
    $("look").showModal();
    $("look").focus(); // and not its first button, which the space bar would press
  }
  const from = await sprite(Math.floor(index / perSprite)).catch(() => null);
  if (!from || index !== here || !$("look").open) return;
  const tile = from.tiles[index % perSprite];
  const paint = () => {
    const to = goesTo(index);
    const large = looked.index === index ? looked.picture : null;
    const source = large ? [0, 0, large.width, large.height] : tile.cell;
    const canvas = $("look-picture");
    draw(canvas, [canvas.clientWidth, canvas.clientHeight], tile, tile.trouble ? null : large || from.picture, source, OUTLINES[to] ?? "#9aa4aa");
    const mark = document.createElement("b");
    mark.className = to ?? "";
    mark.textContent = to === null ? "undecided" : verdictOf(index) ? to : `${to}, if untouched`;
    const quality = tile.quality === null ? "" : `, quality ${tile.quality.toFixed(2)}`;
    const about = [`${index + 1} of ${verdicts.length}${quality}`, tile.name, tile.note, tile.trouble].filter(Boolean);
    $("look-about").replaceChildren(mark, ` ${about.join(" · ")}`);
  };
  paint();
  if (tile.trouble || looked.index === index) return;
  try {
    const picture = await get(`frames/${index}`).then((a) => a.blob()).then(createImageBitmap);
    if (index !== here || !$("look").open) return;
    looked = { index, picture };
    paint();
  } catch (error) {
    if (error instanceof TypeError) fail(error); // else the small picture stays
  }
}

// Keys and mouse ---------------------------------------------------------------------------------------------------

function move(step) {
  const first = firstOfPage();
  const to = here + step;
  const sameRow = Math.floor((to - first) / columns) === Math.floor((here - first) / columns);
  if (to < first || to >= Math.min(first + pageSize, verdicts.length)) return;
  if (Math.abs(step) === 1 && !sameRow && !$("look").open) return;
  focusOn(to);
}

function focusOn(index) {
  const first = firstOfPage();
  for (const [k, on] of [[here, false], [index, true]]) {
    const button = $("sheet").children[k - first];
    button.classList.toggle("here", on);
    button.tabIndex = on ? 0 : -1;
  }
  here = index;
  if ($("look").open) look();
  else focusHere();
}

function focusHere() {
  $("sheet").children[here - firstOfPage()]?.focus({ preventScroll: true });
}

function switchOutlines() {
  outlines = !outlines;
  show();
}

const KEYS = {
  ArrowLeft: () => move(-1),
  ArrowRight: () => move(1),
  ArrowUp: () => move(-columns),
  ArrowDown: () => move(columns),
  " ": () => toggle(here),
  Enter: () => ($("look").open ? $("look").close() : look()),
  Escape: () => $("look").close(),
  u: undo,
  o: switchOutlines,
  PageDown: turn,
  n: turn,
  PageUp: back,
  b: back,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !verdicts.length) return;
  const onControl = event.target.closest?.(".buttons button, input");
  if (onControl && [" ", "Enter", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key)) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  // A key held down must not run through pages, or flicker.
  if (event.repeat && !event.key.startsWith("Arrow")) return;
  act();
});

$("sheet").addEventListener("click", (event) => {
  const tile = event.target.closest(".tile");
  if (!tile || event.detail === 0) return; // 0: made by a key, which has been dealt with
  focusOn(Number(tile.dataset.index));
  toggle(here);
});
$("sheet").addEventListener("contextmenu", (event) => {
  const tile = event.target.closest(".tile");
  if (!tile) return;
  event.preventDefault();
  focusOn(Number(tile.dataset.index));
  look();
});
$("look-picture").addEventListener("click", () => $("look").close());
$("look").addEventListener("close", focusHere);
$("look-close").addEventListener("click", () => $("look").close());
$("look-toggle").addEventListener("click", () => toggle(here));
for (const [id, act] of [["next", turn], ["back", back], ["undo", undo]]) {
  $(id).addEventListener("click", () => {
    act();
    focusHere(); // else the space bar would press the button again
  });
}
$("default").addEventListener("change", (event) => {
  goes = sessionStorage.goes = event.target.value;
  focusHere();
  show();
});
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && verdicts.length && refresh());
let resizing = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(fitToScreen);
});

async function start() {
  fitToScreen();
  history.replaceState(null, "", "/"); // the token is a cookie now
  try {
    const state = await (await get("state")).json();
    verdicts = [...state.verdicts];
    perSprite = state.perSprite;
    $("without-mask").hidden = !state.withoutMask;
    $("without-mask").textContent = `${state.withoutMask.toLocaleString("en")} without a mask, not shown`;
    if (sessionStorage.run !== state.run) {
      // Another run has another order of masks.
      sessionStorage.removeItem("undoable");
      sessionStorage.removeItem("goes");
      sessionStorage.run = state.run;
    }
    undoable = JSON.parse(sessionStorage.undoable || "[]");
    goes = sessionStorage.goes || state.default;
    const open = verdicts.indexOf("-");
    here = open < 0 ? 0 : open;
    await show();
    if (open < 0) say("All sorted, and written.", true);
  } catch (error) {
    fail(error);
  }
}

start();
